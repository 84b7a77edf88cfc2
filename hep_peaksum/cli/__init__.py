"""The command line: words for what the other folders do."""
