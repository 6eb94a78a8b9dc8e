"""One revision a file; the first four digits of its name are its id."""
