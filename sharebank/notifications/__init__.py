"""Letters: posted in the caller's transaction, delivered by the scheduler."""
