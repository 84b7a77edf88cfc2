"""Clusters measured against the objects of the same event: matches, efficiencies, responses, rates."""
