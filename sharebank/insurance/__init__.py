"""Insurances, inspections and certificates: their deadlines, the reminders, and what they forbid to lend."""
