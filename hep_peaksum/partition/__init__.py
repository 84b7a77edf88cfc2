"""Which hits of a collection make one grid: those of a section, a detector, an end, or equal layers."""
