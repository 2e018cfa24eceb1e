"""Who has what and when: availability, booking, the life of a loan, the planning."""
