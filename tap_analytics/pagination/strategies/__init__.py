"""Strategies of pagination: which request follows a page."""
