"""How many examples a property is tried with, as a share of what the profile says."""

from __future__ import annotations

from hypothesis import settings


def costly(times: int) -> settings:
    """Return the settings of a property whose examples take so many times as long as most."""
    return settings(max_examples=max(1, settings().max_examples // times))
