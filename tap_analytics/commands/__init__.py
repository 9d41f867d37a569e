"""The tap's own commands, beside the Singer command line; all of them take the same configuration.

A command is a module with a `main(argv)` that returns the exit code. It is imported when it is run.
"""

from __future__ import annotations

#: Command name to its module.
COMMANDS = {
    "demo-api": "tap_analytics.demo.cli",
    "demo-postgres": "tap_analytics.demo.database",
    "doctor": "tap_analytics.commands.doctor",
    "import": "tap_analytics.commands.import_",
    "schema": "tap_analytics.commands.schema",
    "plan": "tap_analytics.commands.plan",
}
