"""What the branches of a file are by their names, and which of them belong together."""
