"""The published language: what services may know of each other. Imports pydantic only.

Contracts only grow: a field is never renamed or removed, a break is a new version of the type,
emitted beside the old one. Golden schemas in `schemas/` hold that (tests/contract).
"""
