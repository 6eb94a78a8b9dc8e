"""Campaigns, their staff and opportunities, and who gets which opportunity."""
