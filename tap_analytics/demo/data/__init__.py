"""The demo's records: invented, believable, and the same in every run of one seed and scale."""

from __future__ import annotations

from tap_analytics.demo.data.changes import change
from tap_analytics.demo.data.dice import Row
from tap_analytics.demo.data.world import World

__all__ = ["Row", "World", "change"]
