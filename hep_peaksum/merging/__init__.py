"""Several finished jobs become one: what a workflow engine needs that runs a job for every file."""
