"""The command line: the Singer options, and each command of the tap's own.

Read from the parsers, since the help that they print differs between Python's versions.
"""

from __future__ import annotations

import argparse
import contextlib
import typing as t
from importlib import import_module
from unittest import mock

import click

from handbook.markdown import code, table
from tap_analytics.commands import COMMANDS
from tap_analytics.commands.singer import SingerTap

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def singer() -> str:
    """Describe the options of the Singer command line."""
    rows = []
    for option in SingerTap.get_singer_command().params:
        if isinstance(option, click.Option) and not option.hidden:
            takes = "" if option.is_flag else f" {_placeholder(option)}"
            rows.append((code(f"{option.opts[-1]}{takes}"), option.help or ""))
    return table("Option | Meaning", rows)


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
    """Return the parser with which a command would read its arguments."""
    with (
        mock.patch.object(argparse.ArgumentParser, "parse_known_args", autospec=True) as parse,
        contextlib.suppress(_ParsingError),
    ):
        parse.side_effect = _ParsingError
        import_module(COMMANDS[name]).main([])
    return t.cast("argparse.ArgumentParser", parse.call_args.args[0])


class _ParsingError(Exception):
    """Ends a command before it does anything."""


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
