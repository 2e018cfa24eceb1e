"""Group orders: pooled to packs and price breaks, shared to the cent."""
