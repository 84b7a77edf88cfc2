"""What is read from files: the sections of the config for grids, events and the objects they are compared with."""
