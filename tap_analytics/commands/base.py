"""Shared parts of the commands: options, configuration, output as text or JSON.

Exit code: 0 if no problem was found, 1 if one was or the input was invalid.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
import typing as t
from decimal import Decimal

from rich.console import Console
from rich.text import Text
from singer_sdk.exceptions import ConfigValidationError
from typing_extensions import override

from tap_analytics.config.files import read_config
from tap_analytics.errors import SyncFailedError, explain
from tap_analytics.tap import TapAnalytics
from tap_analytics.transport.redaction import clean_line, clean_lines

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

#: Width in columns of output that isn't written to a terminal.
WIDTH = 120
#: Replacements for characters that the encoding of the output lacks.
_ASCII_SIGNS = str.maketrans(
    {"≥": ">=", "≤": "<=", "≳": ">~", "±": "+-", "…": "...", "→": "->", "✓": "+", "✗": "x"}
)


class _SafeConsole(Console):
    """A console that removes markup, control characters and secrets from text before layout."""

    @property
    @override
    def encoding(self) -> str:
        return (sys.stdout.encoding or "utf-8").lower()

    def _encodable(self, text: str) -> str:
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.translate(_ASCII_SIGNS)
        return text

    @override
    def render_str(self, text: str, **options: t.Any) -> Text:
        return super().render_str(self._encodable(text), **options)

    @override
    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        if isinstance(renderable, str):
            renderable = Text(renderable)
        if isinstance(renderable, Text):
            renderable = renderable.copy()
            renderable.plain = self._encodable(clean_lines(renderable.plain))
        return super().render(renderable, options)


Body = t.Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """An argument parser that exits with code 1 on invalid options."""

    @override
    def error(self, message: str) -> t.NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {clean_line(message)}\n")


def parser(
    name: str, description: str, *, configured: bool = True, with_json: bool = True
) -> Parser:
    """Return a parser with the options that all commands have."""
    made = Parser(prog=f"tap-analytics {name}", description=description)
    if configured:
        made.add_argument(
            "--config",
            action="append",
            metavar="FILE",
            help="configuration file; later ones override earlier ones. ENV, the default, reads "
            "environment variables and .env",
        )
    if with_json:
        made.add_argument("--json", action="store_true", help="print JSON instead of text")
    return made


def run(body: Body, options: argparse.Namespace) -> int:
    """Run the body of a command; an error is printed in one line, with exit code 1."""
    try:
        return body(options)
    except ConfigValidationError as error:
        problems = error.errors
    except (BrokenPipeError, SyncFailedError):
        return 1
    except Exception as error:
        logging.getLogger("tap-analytics").debug("The command failed.", exc_info=True)
        problems = [explain(error)]
    for problem in problems:
        sys.stderr.write(f"error: {clean_line(problem)}\n")
    return 1


def open_tap(
    options: argparse.Namespace,
    *,
    catalog: dict[str, t.Any] | None = None,
    state: dict[str, t.Any] | None = None,
    samples: bool = True,
    setup_mapper: bool = True,
) -> TapAnalytics:
    """Return a tap with the configuration that the options name.

    Without `samples`, no request is made to infer the schemas of declared streams; they then allow
    any property. Without `setup_mapper`, streams are created later, which may make requests.

    Raises `InputError` for unreadable files and `ConfigValidationError` for wrong settings.
    """
    given = read_config(options.config or ["ENV"])
    if not samples:
        # Streams aren't sampled if there is a catalog; an empty one has no other effect.
        catalog = {"streams": []}
    tap = TapAnalytics(
        config=given.config,
        parse_env_config=given.parse_env,
        catalog=catalog,
        state=state,
        setup_mapper=setup_mapper,
    )
    # The result is in the output of the command; warnings and errors are still logged.
    logging.getLogger("tap-analytics").setLevel(logging.WARNING)
    return tap


def show(value: object, *parts: RenderableType, as_json: bool) -> None:
    """Print a value as JSON, or `parts` as text, with secrets redacted."""
    if as_json:
        is_utf8 = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
        put(json.dumps(value, indent=2, ensure_ascii=not is_utf8, default=_plain) + "\n")
    else:
        _write(_rendered(parts))


def put(text: str) -> None:
    """Print lines, with secrets redacted and control characters removed."""
    _write(clean_lines(text))


def _write(text: str) -> None:
    # The encoding of a redirected output may lack a character of the data.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _rendered(parts: Sequence[RenderableType]) -> str:
    is_terminal = sys.stdout.isatty()
    console = _SafeConsole(
        file=io.StringIO(),
        force_terminal=is_terminal,
        width=None if is_terminal else WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in parts:
        # Text marked `no_wrap` stays on one line, so that it can be copied.
        console.print(part, soft_wrap=isinstance(part, Text) and part.no_wrap is True)
    return t.cast("io.StringIO", console.file).getvalue()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
