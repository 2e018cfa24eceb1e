"""People, the structures they belong to, and what each may do."""
