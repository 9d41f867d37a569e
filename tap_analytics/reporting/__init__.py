"""What a run reports: progress, log, results, summary and report."""
