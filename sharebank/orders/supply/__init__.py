"""Suppliers and their price lists."""
