"""What changes hands, what comes back, what is owed for it."""
