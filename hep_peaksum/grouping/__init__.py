"""Files that are not one event per entry, made so: rows of hits, collections linked by an index."""
