"""The physics settings: windows, tie rules, thresholds, sharing, pile-up."""
