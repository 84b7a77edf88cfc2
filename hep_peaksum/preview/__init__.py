"""Some events of a config, without a job."""
