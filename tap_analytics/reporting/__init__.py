"""Reporting of a run: progress, log lines, results, summary and report."""
