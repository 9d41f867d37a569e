"""The Singer command line with truthful endings: one clear line for bad input, and exit code 1."""

from __future__ import annotations

import sys
import typing as t

import click
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import SingerCommand
from typing_extensions import override

from tap_analytics.errors import explain, is_expected
from tap_analytics.records.writer import OutputClosedError
from tap_analytics.sync.run import SyncFailedError
from tap_analytics.transport.errors import joined
from tap_analytics.transport.redaction import clean_line

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Sequence


#: What the exit codes mean: the tap has no others, whatever Click or a signal would say.
EXIT_CODES = {
    0: "Every selected stream is complete, or was cut short by `max_records` as it was told to.",
    1: "A stream failed, the requests of `max_requests` are spent, or the input was bad. "
    "The other streams were extracted and their state was written.",
    129: "Ended by a closed terminal (SIGHUP), after the last STATE.",
    130: "Ended by Ctrl-C (SIGINT), after the last STATE.",
    143: "Ended by SIGTERM, after the last STATE.",
}
SEE_HELP = "Run `tap-analytics --help` to see the options and commands."


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
            complaint = error.format_message()
            code = self._fail(joined(complaint, SEE_HELP))
        except (click.Abort, KeyboardInterrupt):
            code = 130
        except SyncFailedError:
            code = 1
        except (OutputClosedError, BrokenPipeError):
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
