"""Measurements of our own speed and memory: each file adds its arguments and returns a report."""
