"""The tap: its streams, discovery and runs."""

from __future__ import annotations

import functools
import signal
import sys
import threading
import typing as t

from typing_extensions import override

from tap_analytics.config.shard import WHOLE
from tap_analytics.errors import InputError
from tap_analytics.records.writer import MessageWriter
from tap_analytics.reporting.run import Connections, Run, StateOutput
from tap_analytics.streams import APIS
from tap_analytics.streams.scope import is_read
from tap_analytics.sync.checkpoint import begin_with, other_sources
from tap_analytics.sync.completion import conclude
from tap_analytics.sync.reading import read
from tap_analytics.sync.run import Sync
from tap_analytics.sync.stream import StreamSync
from tap_analytics.tap.configuration import ConfiguredTap
from tap_analytics.transport.request import HttpSettings, RateLimitStore
from tap_analytics.transport.stop import SIGNALS, Process, RequestBudget, StopSignal

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import Stream

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.transport.connection import ApiConnection

NO_API = (
    f"No API is configured. Give one of {', '.join(f'`{api.name}`' for api in APIS)} its "
    "credential and `base_url`, or describe your own under `apis`. `--config=ENV` reads the "
    "environment and `.env`."
)


class TapAnalytics(ConfiguredTap):
    """Extracts from four services and any REST API, and verifies that all rows arrived."""

    message_writer_class = MessageWriter
    message_writer: MessageWriter

    @override
    def __init__(self, **kwargs: t.Any) -> None:
        self.stop = StopSignal()
        self.connections = Connections(self._connect)
        self._running = False
        super().__init__(**kwargs)

    # --- streams ----------------------------------------------------------------------------

    @override
    def setup_mapper(self) -> None:
        # Streams complete the catalog, of which the mapper makes the schemas that are announced.
        _ = self.streams
        super().setup_mapper()

    @override
    def discover_streams(self) -> list[AnalyticsStream]:
        """Return the streams of the configured APIs, or all built-in ones if none is."""
        classes = [stream for api in self.apis.values() or APIS for stream in api.streams]
        if self.input_catalog is None:
            classes += [stream for api in self.apis.values() for stream in api.discover(self)]
        made = [stream(self) for stream in classes]
        parts = self.shard.streams if self.shard else {}
        for stream in made:
            stream.part = parts.get(stream.name, WHOLE)
        return made

    @property
    def roots(self) -> list[AnalyticsStream]:
        """The streams without a parent that are selected, or have a child that is.

        Those of the shard alone, if the run reads one.
        """
        streams = t.cast("Iterable[AnalyticsStream]", self.streams.values())
        found = [stream for stream in streams if not stream.parent_stream_type and is_read(stream)]
        return [each for each in found if not self.shard or each.name in self.shard.streams]

    @property
    def streams_by_type(self) -> dict[type[Stream], Stream]:
        """The streams by their class, which is how parents are named."""
        return {type(stream): stream for stream in self.streams.values()}

    @functools.cached_property
    def budget(self) -> RequestBudget:
        """The request limit of all connections."""
        return RequestBudget(self.config.get("max_requests", sys.maxsize))

    def _connect(self, name: str) -> ApiConnection:
        http = functools.partial(
            HttpSettings,
            stop=self.stop,
            concurrency=self.config["concurrency"],
            rate_limit_store=self._rate_limit_store(name),
            timeout=self.config["request_timeout"],
            max_body=self.config["max_response_mb"] * 2**20,
            budget=self.budget,
            user_agent=self.config.get("user_agent") or f"{self.name}/{self.plugin_version}",
        )
        api = self.apis[name]
        return api.connect(self.config.get(name) or api.block, http)

    def _rate_limit_store(self, name: str) -> RateLimitStore | None:
        url = self.config.get("rate_limit_store")
        processes = self.shard.count if self.shard else 1
        return url and RateLimitStore.of(url, self.credentials_of(name), processes=processes)

    def require_api(self) -> None:
        """Raise `InputError` where no API is configured."""
        if not self.apis:
            raise InputError(NO_API)

    @property
    @override
    def initialized_at(self) -> int:
        """The version of full-table streams: that of all shards, if the run reads one."""
        return self.shard.version if self.shard else super().initialized_at

    # --- runs -------------------------------------------------------------------------------

    @functools.cached_property
    def run(self) -> Run:
        """The run this tap is for."""
        return Run(
            name=self.name,
            version=str(self.plugin_version),
            config=self.config,
            apis=tuple(self.apis),
            connections=self.connections,
            state=self.state,
            state_output=StateOutput(self.state, self.state_writer),
            writer=self.message_writer,
            stop=self.stop,
            budget=self.budget,
            logger=self.logger,
            shard=self.shard,
        )

    @override
    def run_discovery(self) -> str:
        text = self.catalog_json_text
        streams = t.cast("Iterable[AnalyticsStream]", self.streams.values())
        failed = {stream.name: stream.failure for stream in streams if stream.failure is not None}
        if failed:
            reasons = "; ".join(dict.fromkeys(str(failure) for failure in failed.values()))
            raise InputError(
                f"No schema could be sampled for {', '.join(failed)}. Declare a `schema` to do "
                f"without a sample, or fix the error: {reasons}"
            )
        sys.stdout.write(f"{text}\n")
        return text

    @override  # type: ignore[misc]  # the SDK's reads streams that nobody has selected
    def run_connection_test(self) -> bool:
        streams = [each for each in self.streams.values() if each.selected]
        return self.run_sync_dry_run(dry_run_record_limit=1, streams=streams)

    @override  # type: ignore[misc]  # the SDK's is serial and ends with the first error
    def sync_all(self) -> None:
        """Sync all selected streams; raises `SyncFailedError` if one of them is not complete."""
        self.require_api()
        if folder := self.config.get("conclude"):
            # Seldom needed.
            from tap_analytics.sync.shards import conclude_shards  # noqa: PLC0415

            conclude_shards(self.run, self.streams.values(), folder)
            return
        self._reset_state_progress_markers()
        if self.shard is not None:
            begin_with(self.state, self.shard, known=self.streams)
        read = t.cast("Iterable[AnalyticsStream]", self.streams.values())
        for line in other_sources((stream for stream in read if stream.selected), self.state):
            self.logger.warning("%s", line)
        self._running = True
        try:
            Sync(self.run, self.roots).run()
        finally:
            self._running = False
            self.connections.close()

    def sync_stream(self, stream: AnalyticsStream, context: Context | None) -> None:
        """Read one stream to its end, with its children."""
        sync = StreamSync(stream, self.run)
        sync.open()
        read(sync, context)
        conclude(sync)

    @override
    def _setup_signal_handlers(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # An ignored signal, such as SIGHUP under `nohup`, stays ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._handle_termination)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Stop a run after the current page; end anything else at once."""
        Process.end_in_time(signum)
        self.stop.set(signum)
        if not self._running:
            raise SystemExit(128 + signum)
