"""What the documentation shows of the code: tables, examples of runs, and pictures."""
