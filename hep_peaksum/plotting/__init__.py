"""Drawing, from plain arrays and histograms; no file is read here."""
