"""What can be configured, and one clear line for what can't.

A `Setting` says once what the schema, the environment, the clean-up of a configuration, its checks
and the redaction of its secrets need to know, so none of them can disagree with another.
"""

from __future__ import annotations

from tap_analytics.config.settings.catalog import (
    APIS,
    COMMON,
    TOP,
    Setting,
    block_schema,
    config_schema,
)
from tap_analytics.config.settings.checks import problems
from tap_analytics.config.settings.credentials import Credentials, secrets_of
from tap_analytics.config.settings.normalize import (
    DEEPEST,
    clean,
    environment,
    merged,
    too_deep,
    unknown_variables,
)

__all__ = [
    "APIS",
    "COMMON",
    "DEEPEST",
    "TOP",
    "Credentials",
    "Setting",
    "block_schema",
    "clean",
    "config_schema",
    "environment",
    "merged",
    "problems",
    "secrets_of",
    "too_deep",
    "unknown_variables",
]
