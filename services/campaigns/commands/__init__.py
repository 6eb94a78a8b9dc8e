"""Writes, one file a noun: find, allow, do, tell."""
