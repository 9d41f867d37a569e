"""The command line as its parsers know it: the Singer options, and each command of the tap's own.

Parsers are asked for what they hold, for the help they print differs between Python's versions.
"""

from __future__ import annotations

import argparse
import typing as t
from importlib import import_module
from unittest import mock

import click

from handbook.markdown import code, table
from tap_analytics.commands import COMMANDS
from tap_analytics.commands.singer import SingerTap

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


#: What the exit codes of the Singer command mean.
EXIT_CODES = {
    0: "Every selected stream is complete, or ended at `max_records`.",
    1: "A stream failed, the request limit of `max_requests` was reached, or the input was bad. "
    "The other streams were extracted and their state was written.",
    129: "Ended by a closed terminal (SIGHUP), after the last STATE.",
    130: "Ended by Ctrl-C (SIGINT), after the last STATE.",
    143: "Ended by SIGTERM, after the last STATE.",
}


def singer() -> str:
    """Describe the options of the Singer command line."""
    rows = []
    for option in SingerTap.get_singer_command().params:
        if isinstance(option, click.Option) and not option.hidden:
            takes = "" if option.is_flag else f" {_placeholder(option)}"
            rows.append((code(f"{option.opts[-1]}{takes}"), option.help or ""))
    return table("Option | Meaning", rows)


def exits() -> str:
    """Describe the exit codes."""
    return table("Exit code | Meaning", ((str(each), means) for each, means in EXIT_CODES.items()))


def commands() -> str:
    """Describe each of the tap's own commands with its options."""
    parts = []
    for name in COMMANDS:
        parser = _parser_of(name)
        parts += [f"### `tap-analytics {name}`", parser.description or ""]
        if rows := list(_arguments(parser)):
            parts.append(table("Option | Meaning", rows))
    return "\n\n".join(parts)


def _parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command, caught at the moment it is to parse."""
    with mock.patch.object(argparse.ArgumentParser, "parse_known_args", _catch):
        try:
            import_module(COMMANDS[name]).main([])
        except _CaughtError as caught:
            return caught.parser
    raise ValueError(f"{name} parses no arguments")


class _CaughtError(Exception):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def _catch(parser: argparse.ArgumentParser, *_: object) -> t.NoReturn:
    raise _CaughtError(parser)


def _arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        if isinstance(action, argparse._HelpAction):  # noqa: SLF001 - as above
            continue
        takes = ""
        if action.nargs != 0 and action.option_strings:
            takes = f" {action.metavar or _choices(action.choices) or action.dest.upper()}"
            takes = f" [{takes.strip()}]" if action.nargs == "?" else takes
        names = action.option_strings or [str(action.metavar or action.dest)]
        yield (
            code(f"{names[-1]}{takes}"),
            (action.help or "").replace("%%", "%").replace("|", "\\|"),
        )


def _placeholder(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return _choices(option.type.choices)
    return option.metavar or option.type.name.upper()


def _choices(given: Iterable[object] | None) -> str:
    return f"{{{','.join(map(str, given))}}}" if given else ""
