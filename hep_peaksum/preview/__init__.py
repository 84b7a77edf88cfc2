"""Some events of a config, read and clustered without a job."""
