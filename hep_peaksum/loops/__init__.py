"""Compiled loops over cells and peaks for what follows the search, each beside the readable twin that defines it."""
