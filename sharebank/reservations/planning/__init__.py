"""The planning by day, week and month."""
