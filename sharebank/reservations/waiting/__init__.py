"""The waiting list, and what it offers."""
