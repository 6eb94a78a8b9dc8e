"""Reads, already filtered by what the actor may see."""
