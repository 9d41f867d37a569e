"""The state shared by everything that reads streams and reports on them, created once per run."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field
from time import monotonic

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from singer_sdk.helpers._state import StateWriter
    from singer_sdk.helpers.types import TapState

    from tap_analytics.config.shard import Shard
    from tap_analytics.records.writer import MessageWriter
    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.transport.connection import ApiConnection
    from tap_analytics.transport.stats import StreamStats
    from tap_analytics.transport.stop import RequestBudget, StopSignal

#: Seconds between STATE messages while streams are read.
STATE_INTERVAL = 1.0


class Connections(dict[str, "ApiConnection"]):
    """Connections by the name of their API, created on first access."""

    def __init__(self, connect: Callable[[str], ApiConnection]) -> None:
        super().__init__()
        self._connect = connect
        self._lock = threading.RLock()

    def __missing__(self, name: str) -> ApiConnection:
        with self._lock:
            if name not in self:
                self[name] = self._connect(name)
            return self[name]

    def close(self) -> None:
        """Close the connections to all APIs."""
        for connection in self.values():
            connection.transport.close()


class StateOutput:
    """Writes the STATE messages of a run."""

    def __init__(self, state: TapState, writer: StateWriter) -> None:
        self._state = state
        self._writer = writer
        self._is_begun = False
        self._written = monotonic()

    def write(self) -> None:
        """Write a STATE message if the state has changed since the last."""
        # An empty state is written only where it replaces one written earlier.
        self._is_begun = self._is_begun or bool(self._state.get("bookmarks"))
        if self._is_begun:
            self._writer.write_state(self._state)

    def write_if_due(self) -> None:
        """Write a STATE message unless one was written within the last second."""
        if monotonic() - self._written >= STATE_INTERVAL:
            self._written = monotonic()
            self.write()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of the tap: its input, its output and the results of its streams."""

    name: str
    version: str
    config: Mapping[str, t.Any]
    #: Names of the configured APIs.
    apis: tuple[str, ...]
    connections: Connections
    state: TapState
    #: Writes `state`; hold the lock of `writer` to change it.
    state_output: StateOutput
    writer: MessageWriter
    stop: StopSignal
    budget: RequestBudget
    logger: logging.Logger
    #: The part of a sync that the run reads; None for all of it.
    shard: Shard | None = None
    #: By stream name; updated during the run.
    results: dict[str, StreamResult] = field(default_factory=dict)

    def stats_of(self, result: StreamResult) -> StreamStats:
        """Return the statistics of the requests made for a stream."""
        return self.connections[result.api].transport.stats.of(result.name)
