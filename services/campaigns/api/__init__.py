"""Routes and what they take and answer, one file a noun."""
