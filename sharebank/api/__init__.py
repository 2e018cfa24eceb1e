"""The JSON API over the same services."""
