"""Published algorithms and detectors, as YAML with their sources."""
