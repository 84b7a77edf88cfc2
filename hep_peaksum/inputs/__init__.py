"""What is read from files: the sections of the config for grids, events and reference objects."""
