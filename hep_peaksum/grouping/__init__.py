"""Files that are not one event an entry, made so: rows of hits, collections linked by an index."""
