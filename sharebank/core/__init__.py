"""What every room stands on: database, time, money, refusals."""
