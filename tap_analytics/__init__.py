"""A Singer tap for five analytics APIs that proves what it extracted."""
