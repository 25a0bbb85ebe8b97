"""Artefacts that load without this library."""
