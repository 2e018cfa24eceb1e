"""What came, and the supplier’s invoice."""
