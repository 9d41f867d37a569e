"""What the tap's own commands share: options, the configuration, output for people or as JSON.

A command says what it has found by its exit code as well: 0 if all is well, 1 if something is wrong
or the input was bad.
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
from tap_analytics.errors import explain
from tap_analytics.tap import TapAnalytics
from tap_analytics.transport.redaction import clean_line, clean_lines

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

#: Columns of output that nobody's window bounds.
WIDTH = 120


class _SafeConsole(Console):
    """A console that cleans text before it is laid out: nothing in it styles, steers or leaks."""

    @override
    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        if isinstance(renderable, str):
            renderable = Text(renderable)
        if isinstance(renderable, Text):
            renderable = renderable.copy()
            renderable.plain = clean_lines(renderable.plain)
        return super().render(renderable, options)


Body = t.Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser of a command's options; bad ones end the process with exit code 1."""

    @override
    def error(self, message: str) -> t.NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {clean_line(message)}\n")


def parser(name: str, description: str, *, configured: bool = True) -> Parser:
    """Return a parser with the options all commands take, for a command to add its own."""
    made = Parser(prog=f"tap-analytics {name}", description=description)
    if configured:
        made.add_argument(
            "--config",
            action="append",
            metavar="FILE",
            help="configuration file, later ones over earlier ones; ENV, which is also what is "
            "read without the option, stands for the environment and .env",
        )
    made.add_argument("--json", action="store_true", help="print JSON instead of text")
    return made


def run(body: Body, options: argparse.Namespace) -> int:
    """Run a command's body; an error it raises is told in one line, and the exit code is 1."""
    try:
        return body(options)
    except ConfigValidationError as error:
        problems = error.errors
    except BrokenPipeError:
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

    Without `samples` no server is asked for the schemas of declared streams, which stay open then.
    Without the mapper, nothing has looked at the streams yet, which may take requests.

    Raises `InputError` for unreadable files and `ConfigValidationError` for wrong settings.
    """
    given = read_config(options.config or ["ENV"])
    if not samples:
        # Streams of a catalog are not sampled, and an empty one changes nothing else about them.
        catalog = {"streams": []}
    tap = TapAnalytics(
        config=given.config,
        parse_env_config=given.parse_env,
        catalog=catalog,
        state=state,
        setup_mapper=setup_mapper,
    )
    # What a command has to say stands in its output; what goes wrong meanwhile is still told.
    logging.getLogger("tap-analytics").setLevel(logging.WARNING)
    return tap


def show(value: object, *parts: RenderableType, as_json: bool) -> None:
    """Print a value as JSON, or the parts that tell it to people; never a secret."""
    if as_json:
        put(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")
    else:
        sys.stdout.write(_rendered(parts))
        sys.stdout.flush()


def put(text: str) -> None:
    """Print lines; never a secret, nor a character that steers a terminal."""
    sys.stdout.write(clean_lines(text))
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
        # Text that is not to be wrapped stays whole, so that it can be copied.
        console.print(part, soft_wrap=isinstance(part, Text) and part.no_wrap is True)
    return t.cast("io.StringIO", console.file).getvalue()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
