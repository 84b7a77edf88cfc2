"""Why a cell is a seed or not, and what would change with other settings."""
