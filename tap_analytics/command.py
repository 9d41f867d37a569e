"""The Singer command line with truthful endings: one clear line for bad input, and exit code 1."""

from __future__ import annotations

import json
import sys
import typing as t

import click
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import SingerCommand
from typing_extensions import override

from tap_analytics.sync import SyncFailedError
from tap_analytics.writer import PipeClosedError

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Sequence


class InputError(Exception):
    """Bad input: what is wrong, where, and what to do."""


class AnalyticsCommand(SingerCommand):
    """The SDK's command; every ending is told by one line and a truthful exit code."""

    @classmethod
    def adopt(cls, command: click.Command, *, logger: logging.Logger) -> AnalyticsCommand:
        """Take over the parameters of the SDK's command."""
        return cls(
            name=command.name,
            callback=command.callback,
            params=command.params,
            help=command.help,
            context_settings=command.context_settings,
            logger=logger,
        )

    @override
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: t.Any,
    ) -> t.Any:
        try:
            result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.ClickException as error:
            code = self._fail(error.format_message())
        except click.Abort:
            code = 130
        except InputError as error:
            code = self._fail(str(error))
        except SyncFailedError:
            code = 1
        except (PipeClosedError, BrokenPipeError):
            code = 1
        except Exception as error:
            if not standalone_mode:
                raise
            self.logger.debug("The tap failed.", exc_info=True)
            code = self._fail(f"{type(error).__name__}: {error}")
        else:
            code = result if isinstance(result, int) else 0
        if standalone_mode:
            sys.exit(code)
        return code

    @override
    def invoke(self, ctx: click.Context) -> t.Any:
        try:
            return super(SingerCommand, self).invoke(ctx)
        except ConfigValidationError as error:
            for problem in error.errors:
                self._fail(problem)
            ctx.exit(1)

    def _fail(self, message: str) -> int:
        self.logger.error("%s", message)
        return 1


def read_json(file: t.IO[str] | None, kind: str) -> dict[str, t.Any] | None:
    """Read a catalog or state file; raises `InputError` for anything but a JSON object."""
    if file is None:
        return None
    name = getattr(file, "name", kind)
    try:
        content = json.loads(file.read() or "{}")
    except ValueError as error:
        raise InputError(f"The {kind} file {name} is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"The {kind} file {name} must hold a JSON object.")
    if kind == "state" and content.get("type") == "STATE":
        content = content.get("value") or {}
    return _shaped(content, kind, str(name))


def _shaped(content: dict[str, t.Any], kind: str, name: str) -> dict[str, t.Any]:
    """Check that a file holds what its kind holds, so that no later step trips over it."""
    if kind == "catalog":
        streams = content.get("streams")
        if not isinstance(streams, list) or not all(
            isinstance(entry, dict) and "schema" in entry for entry in streams
        ):
            raise InputError(f"The catalog file {name} is not a Singer catalog: no `streams` list.")
        return content
    bookmarks = content.get("bookmarks", {})
    if not isinstance(bookmarks, dict) or not all(
        isinstance(bookmark, dict) for bookmark in bookmarks.values()
    ):
        raise InputError(f"The state file {name} is not a Singer state: no `bookmarks` object.")
    return content
