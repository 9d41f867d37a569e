"""The Singer command, with one-line errors and reliable exit codes."""

from __future__ import annotations

import sys
import typing as t

import click
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import SingerCommand
from typing_extensions import override

from tap_analytics.config.files import read_config, read_json
from tap_analytics.errors import SyncFailedError, explain, is_expected
from tap_analytics.records.writer import READER_GONE, OutputClosedError
from tap_analytics.tap import TapAnalytics
from tap_analytics.transport.errors import joined
from tap_analytics.transport.redaction import clean_line

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.plugin_base import _ConfigInput

SEE_HELP = "Run `tap-analytics --help` to see the options and commands."


class AnalyticsCommand(SingerCommand):
    """The SDK's command with one-line errors and reliable exit codes."""

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
            code = self._fail(joined(error.format_message(), SEE_HELP))
        except (click.Abort, KeyboardInterrupt):
            code = 130
        except SyncFailedError:
            code = 1
        except (OutputClosedError, BrokenPipeError):
            self.logger.warning(READER_GONE)
            code = 1
        except Exception as error:
            if not standalone_mode:
                raise
            if not is_expected(error):
                self.logger.debug("The tap failed.", exc_info=True)
            code = self._fail(explain(error))
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
        self.logger.error("%s", clean_line(message))
        return 1


class SingerTap(TapAnalytics):
    """Extracts from four services and any REST API, and verifies that all rows arrived."""

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        return AnalyticsCommand(
            name=command.name,
            callback=command.callback,
            params=command.params,
            help=command.help,
            context_settings=command.context_settings,
            logger=cls.logger,
        )

    @classmethod
    @override
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the files of `--config`; `ENV` reads the environment."""
        return read_config(value)

    @classmethod
    @override
    def invoke(  # type: ignore[override]  # as the SDK's own
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: t.IO[str] | None = None,
        catalog: t.IO[str] | None = None,
    ) -> None:
        """Run the tap with the options of the command line."""
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        tap = cls(
            config=config.config if config else {},
            state=read_json(state, "state"),
            catalog=read_json(catalog, "catalog"),
            parse_env_config=config.parse_env if config else False,
        )
        tap.sync_all()
