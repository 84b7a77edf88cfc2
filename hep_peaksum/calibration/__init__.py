"""Raw values of channels, and the table of cells that makes energies on a grid of them."""
