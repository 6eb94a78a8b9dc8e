"""Schema changes of the campaigns database, oldest first."""
