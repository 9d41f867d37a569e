"""A construct of the vocabulary: a server, two descriptions of it, and how the tools differ."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from support.differential.server import Asked

Rows = dict[str, list[dict[str, t.Any]]]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What one tool is given, and how the tap that imports it differs from that tool.

    In `source`, `ORIGIN` stands for the address of the server.
    """

    source: Mapping[str, t.Any]
    #: Requests that only the tap makes: a pattern for each reason.
    more: Mapping[str, str] = field(default_factory=dict)
    #: Requests that only the tool makes.
    fewer: Mapping[str, str] = field(default_factory=dict)
    #: Why the tool brings other rows than the API has; it may fail as well.
    loses: str = ""
    #: Why the import leaves the streams out; part of its note.
    left_out: str = ""

    def at(self, origin: str) -> dict[str, t.Any]:
        """Return the source for a server."""
        return json.loads(json.dumps(self.source).replace("ORIGIN", origin))


@dataclass(frozen=True, kw_only=True)
class Construct:
    """An API, with the rows that it has by stream; a tool that can't describe it has the reason."""

    name: str
    server: Callable[[Asked], t.Any]
    rows: Rows
    airbyte: Description | str
    dlt: Description | str
    #: Rows that a second run has to bring, with the state of the first.
    changed: Rows = field(default_factory=dict)
    #: Headers of requests that matter.
    headers: Sequence[str] = ()
    #: Columns that only the tap has.
    columns: Sequence[str] = ()
    #: Settings of the tap.
    settings: Mapping[str, t.Any] = field(default_factory=dict)
    #: Settings of the manifest.
    config: Mapping[str, t.Any] = field(default_factory=dict)
    #: Variables that stand for secrets in the imported entry.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: How the streams end that aren't proven, or that fail.
    verdicts: Mapping[str, str] = field(default_factory=dict)

    def description(self, tool: str) -> Description | str:
        return getattr(self, tool)
