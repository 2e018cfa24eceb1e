"""The rules of lending as data: what may be asked, what it costs, what must be shown; pure, on plain values."""
