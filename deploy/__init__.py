"""How Rapport is run: the whole system on one machine (`local`), its gateway, its container image."""
