"""A run: streams side by side, each read to its end."""
