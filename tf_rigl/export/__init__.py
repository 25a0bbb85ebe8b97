"""Artifacts that load without this library."""
