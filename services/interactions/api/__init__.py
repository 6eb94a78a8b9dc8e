"""Routes of interactions, one file per noun."""
