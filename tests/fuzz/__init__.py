"""Damaged and hostile files for every reader, each made again from its number. See docs/fuzz.md."""
