"""What a job does with an event beside clustering."""
