"""A whole job under coffea."""
