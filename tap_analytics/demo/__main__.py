"""Run the demo: `python -m tap_analytics.demo`."""

from __future__ import annotations

import sys

from tap_analytics.demo.cli import main

sys.exit(main(sys.argv[1:]))
