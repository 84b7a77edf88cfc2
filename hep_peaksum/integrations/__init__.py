"""Other people's frameworks, a file each."""
