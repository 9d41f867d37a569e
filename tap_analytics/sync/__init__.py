"""Runs: streams read concurrently."""
