"""What a person at a terminal sees of a run: a live display, and a table at the end."""
