"""A sync in shards on Airflow, on this machine: what `scripts/scale` shows."""
