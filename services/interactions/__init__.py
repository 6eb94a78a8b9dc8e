"""Interactions: the ledger of what happened with a customer, its count and the last contact."""
