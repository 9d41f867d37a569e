"""Settings and their validation.

A `Setting` is the single source for the JSON schema, environment variables, normalization,
validation and the redaction of secrets.
"""

from __future__ import annotations

from tap_analytics.config.settings.catalog import (
    APIS,
    COMMON,
    TOP,
    block_schema,
    config_schema,
)
from tap_analytics.config.settings.checks import problems
from tap_analytics.config.settings.credentials import secrets_of
from tap_analytics.config.settings.normalize import (
    DEEPEST,
    clean,
    environment,
    merged,
    too_deep,
    unknown_variables,
)
from tap_analytics.config.settings.setting import Setting

__all__ = [
    "APIS",
    "COMMON",
    "DEEPEST",
    "TOP",
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
