"""The order on its way to the supplier."""
