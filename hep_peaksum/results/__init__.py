"""The results folder on disk."""
