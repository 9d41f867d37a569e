"""Servers, runs and readers that all tests share."""
