"""The section `events` of the config: how events are read, identified, selected and weighted."""
