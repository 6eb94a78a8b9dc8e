"""Schema changes of the customers database, in order."""
