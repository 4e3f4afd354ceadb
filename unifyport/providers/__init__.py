"""Channels: one folder each, with the same file names in all of them; `registry.py` is the only list."""
