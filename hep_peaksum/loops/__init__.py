"""Compiled loops over cells and peaks for what follows the search, each beside its readable twin."""
