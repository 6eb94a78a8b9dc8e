"""Mechanisms that every service uses, each in one deep module; nothing here knows a service."""
