"""Schema changes of the interactions database, oldest first."""
