"""The report of a job: one HTML file, made of its results folder."""
