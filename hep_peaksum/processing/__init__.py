"""What a chunk of events goes through in a job: selection, weights, variations, histograms and counts."""
