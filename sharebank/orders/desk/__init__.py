"""Preparing group orders, closing them, correcting by hand."""
