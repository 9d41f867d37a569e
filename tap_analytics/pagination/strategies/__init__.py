"""Pagination strategies."""
