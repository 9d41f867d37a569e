"""A Singer tap for four services and any REST API, which verifies that all rows arrived."""
