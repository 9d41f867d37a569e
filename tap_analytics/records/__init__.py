"""Records: decoded, conformed, encoded and written a page at a time."""
