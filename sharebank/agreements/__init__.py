"""Agreements: the conventions of loans as PDF, their text frozen when issued, signed online or on paper."""
