"""From data to certificates."""
