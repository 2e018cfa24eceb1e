"""Calendars to subscribe to, in letters and on paper."""
