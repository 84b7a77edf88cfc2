"""Pictures, drawn from plain arrays and histograms; no file is read here."""
