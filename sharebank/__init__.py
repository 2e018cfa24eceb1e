"""sharebank: what three neighbourhood houses lend each other, and reservations that cannot collide."""
