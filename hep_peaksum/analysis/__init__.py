"""What a job does with events besides clustering."""
