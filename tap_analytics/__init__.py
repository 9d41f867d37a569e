"""A Singer tap for five analytics APIs that verifies that extractions are complete."""
