"""How fast it is, beside the floor of the same machine in the same minute: `make bench`."""
