"""Who owes what, who paid, what was saved."""
