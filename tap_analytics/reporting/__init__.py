"""What a run tells: progress, results, summary and report."""
