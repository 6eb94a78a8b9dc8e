"""A service with nothing but the mechanisms: what it hears of, it writes down, so that nothing hides."""
