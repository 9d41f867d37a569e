"""The tap's settings: read, completed, validated, and held against catalog and state."""

from __future__ import annotations

import functools
import os
import typing as t

from dotenv import dotenv_values, find_dotenv
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.metrics import get_metrics_logger
from typing_extensions import override

from tap_analytics.config import settings
from tap_analytics.config.settings.variables import Expansion
from tap_analytics.config.shard import Shard, shard_problems
from tap_analytics.errors import InputError
from tap_analytics.records.encoders import batch_problems
from tap_analytics.reporting.log import log_less
from tap_analytics.streams import APIS, declared_apis
from tap_analytics.transport import redaction
from tap_analytics.transport.connection import SECRETS
from tap_analytics.transport.shared_limit import store_problems

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.streams.api import Api

BLOCKS = {api.name: api.settings for api in APIS}
RESERVED = frozenset(name for api in APIS for name in api.stream_names)
#: Set by Meltano to the name of the plugin it runs.
MELTANO = "MELTANO_EXTRACTOR_NAME"


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

    def credentials_of(self, name: str) -> list[str]:
        """Return the secrets in the configuration of an API."""
        declared = [each for each in self.config.get("apis", ()) if each.get("name") == name]
        given = {name: self.config.get(name), "apis": declared}
        return settings.secrets_of(given, blocks=BLOCKS).values

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
        _register_secrets(self._config)
        defaults = {setting.name: setting.default for setting in settings.TOP}
        given = settings.clean(self._config, blocks=BLOCKS)
        self._config = {
            name: value for name, value in (defaults | given).items() if value is not None
        }
        # Meltano has expanded them, and a value of its own may have a dollar sign.
        expansion = Expansion(environment=_variables, whole_only=MELTANO in os.environ)
        if apis := self._config.get("apis"):
            self._config["apis"] = expansion.expand(apis, "apis")
        _register_secrets(self._config, expansion)
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
        return settings.environment(cls.config_jsonschema, cls._env_var_prefix, _variables())

    def _check_variables(self, *, parse_env: bool) -> None:
        """Warn of misspelled variables, where this process or Meltano reads them."""
        meltano = MELTANO in os.environ
        if parse_env or meltano:
            self.append_builtin_config(self.config_jsonschema)
            variables = _variables() if parse_env else os.environ
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


def _variables() -> dict[str, str]:
    """Return the variables of `.env` and of the environment; an empty one isn't set."""
    dotenv = {key: value for key, value in dotenv_values(find_dotenv(usecwd=True)).items() if value}
    return {**dotenv, **{key: value for key, value in os.environ.items() if value}}


def _register_secrets(config: Mapping[str, t.Any], expansion: Expansion | None = None) -> None:
    found = settings.secrets_of(config, blocks=BLOCKS)
    parts = expansion.secrets(found.values) if expansion else ()
    for value in (*found.values, *parts):
        SECRETS.add(value)
    for username, password in found.basic:
        SECRETS.add_basic(username, password)
