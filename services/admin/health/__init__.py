"""Health: whether this service lives, and whether the servers behind it answer."""
