"""The demonstration: its input, and the story told on it."""
