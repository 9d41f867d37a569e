"""The tap: its settings, streams, discovery and runs."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import typing as t

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.metrics import get_metrics_logger
from typing_extensions import override

from tap_analytics.config import settings
from tap_analytics.config.files import environment_variables
from tap_analytics.config.settings.variables import Expansion
from tap_analytics.config.shard import WHOLE, Shard, shard_problems
from tap_analytics.errors import InputError
from tap_analytics.records.encoders import batch_problems
from tap_analytics.records.writer import MessageWriter
from tap_analytics.reporting.log import log_less
from tap_analytics.reporting.run import Connections, Run, StateOutput
from tap_analytics.streams import APIS, BLOCKS, RESERVED, declared_apis
from tap_analytics.streams.scope import is_read
from tap_analytics.sync.checkpoint import begin_with, other_sources
from tap_analytics.sync.completion import conclude
from tap_analytics.sync.reading import read
from tap_analytics.sync.run import Sync
from tap_analytics.sync.stream import StreamSync
from tap_analytics.transport import redaction
from tap_analytics.transport.connection import SECRETS
from tap_analytics.transport.request import HttpSettings, RateLimitStore
from tap_analytics.transport.shared_limit import store_problems
from tap_analytics.transport.stop import SIGNALS, Process, RequestBudget, StopSignal

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import Stream

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.streams.api import Api
    from tap_analytics.transport.connection import ApiConnection

#: Set by Meltano to the name of the plugin it runs.
MELTANO = "MELTANO_EXTRACTOR_NAME"
NO_API = (
    f"No API is configured. Give one of {', '.join(f'`{api.name}`' for api in APIS)} its "
    "credential and `base_url`, or describe your own under `apis`. `--config=ENV` reads the "
    "environment and `.env`."
)


class ConfiguredTap(Tap):
    """A tap with valid settings and the APIs they configure."""

    name = "tap-analytics"
    package_name = "tap-analytics"
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = settings.config_schema(
        {
            api.name: settings.block_schema(api.name, api.title, api.settings, api.defaults)
            for api in APIS
        }
    )
    #: Declared streams may be sampled, so discovery depends on a valid configuration.
    dynamic_catalog = True

    @override
    def __init__(
        self,
        *,
        config: dict[str, t.Any] | None = None,
        parse_env_config: bool = False,
        setup_mapper: bool = True,
        **kwargs: t.Any,
    ) -> None:
        # State comes before the mapper: a sampled schema asks for the page the sync begins with.
        given = config or {}
        log_less(self.logger, get_metrics_logger())
        self._check_variables(parse_env=parse_env_config)
        if parse_env_config:
            given = settings.merged(given, self._env_var_config)
        super().__init__(setup_mapper=False, config=given, **kwargs)
        self._check_input()
        if setup_mapper:
            self.setup_mapper()

    @functools.cached_property
    def apis(self) -> dict[str, Api]:
        """The configured APIs by name, built-in and declared."""
        blocks = [(api, self.config.get(api.name)) for api in APIS]
        entries = self.input_catalog.streams if self.input_catalog else ()
        catalog = [entry.tap_stream_id for entry in entries]
        configured = [api.configured(block, catalog) for api, block in blocks if block]
        return {api.name: api for api in (*configured, *self._declared)}

    @functools.cached_property
    def shard(self) -> Shard | None:
        """The part of a sync that the run reads; None for all of it."""
        given = self.config.get("shard")
        return None if given is None else Shard.from_setting(given)

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self.append_builtin_config(self.config_jsonschema)
        redaction.install(SECRETS)
        for name, value in self._config.items():
            if settings.too_deep([value]):
                raise InputError(f"`{name}` is nested more than {settings.DEEPEST} levels deep.")
        settings.secrets_of(self._config, blocks=BLOCKS).register(SECRETS)
        defaults = {setting.name: setting.default for setting in settings.TOP}
        given = settings.clean(self._config, blocks=BLOCKS)
        self._config = {
            name: value for name, value in (defaults | given).items() if value is not None
        }
        # Meltano has expanded them, and a value of its own may have a dollar sign.
        expansion = Expansion(environment=environment_variables, whole_only=MELTANO in os.environ)
        if apis := self._config.get("apis"):
            self._config["apis"] = expansion.expand(apis, "apis")
        found = settings.secrets_of(self._config, blocks=BLOCKS)
        found.add(*expansion.secrets(found.values))
        found.register(SECRETS)
        errors = settings.problems(self._config, self.config_jsonschema, blocks=BLOCKS)
        self._declared, problems = declared_apis(self._config, reserved=RESERVED)
        problems = expansion.problems or problems
        errors += [problem for problem in problems if problem not in errors]
        errors += batch_problems(self._config.get("batch_config"))
        errors += store_problems(self._config.get("rate_limit_store"))
        errors += shard_problems(self._config.get("shard"))
        if errors and raise_errors:
            raise ConfigValidationError(
                "Config validation failed", errors=errors, schema=self.config_jsonschema
            )
        return errors

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, t.Any]:  # noqa: N805 - a property of the class
        cls.append_builtin_config(cls.config_jsonschema)
        return settings.environment(
            cls.config_jsonschema, cls._env_var_prefix, environment_variables()
        )

    def _check_variables(self, *, parse_env: bool) -> None:
        """Warn of misspelled variables, where this process or Meltano reads them."""
        meltano = MELTANO in os.environ
        if parse_env or meltano:
            self.append_builtin_config(self.config_jsonschema)
            variables = environment_variables() if parse_env else os.environ
            for line in settings.unknown_variables(
                self.config_jsonschema, self._env_var_prefix, variables, inherited=meltano
            ):
                self.logger.warning("%s", line)

    def _check_input(self) -> None:
        """Refuse a catalog or a state that names none of this tap's streams."""
        known = {*RESERVED, *(name for api in self.apis.values() for name in api.stream_names)}
        entries = self.input_catalog.streams if self.input_catalog else []
        catalog = {entry.tap_stream_id for entry in entries}
        for kind, names in (("catalog", catalog), ("state", set(self.state.get("bookmarks", {})))):
            if names and names.isdisjoint(known):
                raise InputError(
                    f"The {kind} belongs to another tap: it lists streams this tap doesn't have: "
                    f"{', '.join(sorted(names)[:5])}. Run `{self.name} --discover` for a new "
                    "catalog; start without a state that belongs to another tap."
                )
        present = {name for api in self.apis.values() or APIS for name in api.stream_names}
        wanted = {each.tap_stream_id for each in entries if each.metadata.resolve_selection()[()]}
        if gone := wanted - present:
            self.logger.warning(
                "The catalog selects streams that no configured API has, and that are not read: "
                "%s. Run `%s --discover` for a new catalog.",
                *(", ".join(sorted(gone)), self.name),
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
        if (url := self.config.get("rate_limit_store")) is None:
            return None
        declared = [each for each in self.config.get("apis", ()) if each.get("name") == name]
        given = {name: self.config.get(name), "apis": declared}
        secrets = settings.secrets_of(given, blocks=BLOCKS).values
        return RateLimitStore.of(url, secrets, processes=self.shard.count if self.shard else 1)

    def require_api(self) -> None:
        """Raise `InputError` where no API is configured."""
        if not self.apis:
            raise InputError(NO_API)

    @property
    @override
    def initialized_at(self) -> int:
        """The version of full-table streams: that of all shards, if the run reads one."""
        return self.shard.version if self.shard else super().initialized_at

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
