"""The built-in APIs, one module and one line each."""

from __future__ import annotations

import typing as t

from tap_analytics.streams.experimentation import EXPERIMENTATION
from tap_analytics.streams.learning import LEARNING
from tap_analytics.streams.success import SUCCESS
from tap_analytics.streams.wiki import WIKI

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_analytics.streams.api import Api

APIS: tuple[Api, ...] = (LEARNING, EXPERIMENTATION, WIKI, SUCCESS)
#: Settings by API, and the names of all built-in streams.
BLOCKS = {api.name: api.settings for api in APIS}
RESERVED = frozenset(name for api in APIS for name in api.stream_names)


def declared_apis(
    config: Mapping[str, t.Any], *, reserved: Collection[str]
) -> tuple[tuple[Api, ...], list[str]]:
    """Return the APIs declared under `apis`, and the problems of the declarations."""
    if not config.get("apis"):
        return (), []
    from tap_analytics.streams.declared import declare  # noqa: PLC0415 - costs start-up, seldom needed

    return declare(config["apis"], reserved=reserved)
