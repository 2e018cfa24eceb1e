"""What houses decide: requests, from the list or from a letter."""
