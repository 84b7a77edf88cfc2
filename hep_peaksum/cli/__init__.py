"""The command line: words for what the other folders do."""

INTERRUPTED = 130  # exit status, as shells report Ctrl-C
