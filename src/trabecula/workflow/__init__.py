"""The stages in order: check, run, demo, extract. Everything finished is kept; a stopped run goes on.

Each is imported from its own module, so that one command does not wait for what only another needs.
"""
