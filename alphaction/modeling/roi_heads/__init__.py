"""Heads that judge boxes."""
