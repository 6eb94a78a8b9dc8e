"""Writes of interactions, one file per noun."""
