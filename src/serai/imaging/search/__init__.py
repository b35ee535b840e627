"""Finding what the archive holds: keys, conditions, visibility; one way for every protocol."""
