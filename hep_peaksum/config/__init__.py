"""The YAML file: its sections, its checks and its documentation."""
