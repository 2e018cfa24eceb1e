"""What group orders decide on plain values: packs, shares, money, transfers; no framework, no database, no clock."""
