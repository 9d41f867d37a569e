"""`python -m tap_analytics` is the `tap-analytics` command."""

from tap_analytics.commands.cli import main

main()
