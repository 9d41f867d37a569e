"""`python -m tap_analytics` is the `tap-analytics` command."""

from tap_analytics.cli import main

main()
