#!/usr/bin/env python3
"""Write what the documentation shows of the code: tables and diagrams.

A block stands between `<!-- name:begin -->` and `<!-- name:end -->`; everything else is prose and
stays. With `--check` nothing is written: the difference is shown and the exit code is 1.
"""

from __future__ import annotations

import argparse
import copy
import difflib
import re
import sys
import typing as t
from pathlib import Path

from handbook.columns import columns, diagrams
from handbook.commands import commands, exits, singer
from handbook.markdown import code, table, value
from handbook.runs import metrics, position

from tap_analytics.client import AnalyticsStream
from tap_analytics.config.settings import COMMON, TOP
from tap_analytics.streams import APIS
from tap_analytics.tap import TapAnalytics

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_analytics.streams.api import Api

ROOT = Path(__file__).resolve().parents[1]
SITE = "https://api.example.com"
SDK = "https://sdk.meltano.com"

Schema = dict[str, t.Any]


class Block(t.Protocol):
    """Writes the content of a block, which stands under the name of the function."""

    __name__: str

    def __call__(self) -> Iterator[str]:
        """Yield lines."""


def main(argv: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Bring the pages below `root` up to date, or check that they are; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare, and fail if it differs")
    options = parser.parse_args(argv)
    outdated = 0
    for name, after in written(root).items():
        page = root / name
        before = page.read_text("utf-8") if page.exists() else ""
        if not options.check:
            page.write_text(after, "utf-8")
        elif before != after:
            outdated = 1
            sys.stdout.writelines(difference(name, before, after))
    return outdated


def written(root: Path) -> dict[str, str]:
    """Return the pages below `root` as they should be."""
    found: dict[str, str] = {}
    for name, blocks in PAGES.items():
        found[name] = (root / name).read_text("utf-8")
        for block in blocks:
            content = "\n".join(block()).rstrip()
            found[name] = with_block(found[name], block.__name__, content)
    return found


def with_block(text: str, name: str, block: str) -> str:
    """Return a text with the content of one block replaced; a missing block is a `ValueError`."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"there must be one block {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n\n{block}\n\n{end}", text)


def difference(name: str, before: str, after: str) -> Iterator[str]:
    """Tell what `scripts/docs` would change in a page."""
    return difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        fromfile=name,
        tofile=f"{name}, by scripts/docs",
    )


# --- streams --------------------------------------------------------------------------------


def streams() -> Iterator[str]:
    """Describe every built-in stream, in the order of the APIs."""
    needed = {api.name: {s.name: SITE for s in api.settings if s.required} for api in APIS}
    tap = TapAnalytics(config=needed)
    rows = []
    for name in (name for api in APIS for name in api.stream_names):
        stream = t.cast("AnalyticsStream", tap.streams[name])
        rows.append(
            (
                code(name),
                code(f"{stream.url_base}{stream.path}".removeprefix(SITE)),
                ", ".join(map(code, stream.primary_keys)),
                f"by {code(stream.replication_key)}" if stream.replication_key else "full table",
                reading(stream),
            )
        )
    yield from table(
        ("Stream", "Endpoint", "Key", "Replication", "What a later run asks for"), rows
    )


def reading(stream: AnalyticsStream) -> str:
    """Tell what a run that has a bookmark reads."""
    if stream.parent_stream_type is not None:
        return f"all, for each row of {code(vars(stream.parent_stream_type)['name'])}"
    if stream.replication_key is None:
        return "all"
    if type(stream).window is not AnalyticsStream.window:
        return "what changed: the server filters"
    if stream.newest_first:
        return "newest first, until the bookmark"
    return "all, and passes on what changed"


# --- settings -------------------------------------------------------------------------------


def settings() -> Iterator[str]:
    """Describe every setting: of each API, of all API blocks, of the tap, of the SDK."""
    schema = TapAnalytics.config_jsonschema["properties"]
    common = [setting.name for setting in COMMON]
    for api in APIS:
        block = schema[api.name]
        own = {name: part for name, part in block["properties"].items() if name not in common}
        yield f"**{api.title}**: on when the block `{api.name}` has a value"
        yield ""
        yield from settings_table(own, prefix=f"{api.name}.", required=block["required"])
        yield ""
    yield "**Every API block**, and every entry of `apis`, also takes:"
    yield ""
    shared = {name: schema[APIS[0].name]["properties"][name] for name in common}
    yield from settings_table(shared, defaults=shared_defaults())
    yield ""
    yield "**The tap itself**"
    yield ""
    whole = ("apis", *(setting.name for setting in TOP))
    yield from settings_table({name: schema[name] for name in whole})
    yield ""
    builtin: Schema = copy.deepcopy(TapAnalytics.config_jsonschema)
    TapAnalytics.append_builtin_config(builtin)
    known = {*whole, *(api.name for api in APIS)}
    rest = ", ".join(code(name) for name in builtin["properties"] if name not in known)
    yield f"**The [Singer SDK]({SDK})** adds its own: {rest}."


def settings_table(
    properties: Mapping[str, Schema],
    *,
    prefix: str = "",
    required: Iterable[str] = (),
    defaults: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Describe settings in a table, the parts of an object each in a row of its own."""
    given, needed = defaults or {}, set(required)
    rows = []
    for name, schema in flat(properties):
        default = given.get(name) or value(schema.get("default"))
        mark = " 🔒" if schema.get("secret") else ""
        rows.append(
            (
                f"{code(prefix + name)}{mark}",
                kind(schema),
                "**required**" if name in needed else default,
                schema["description"],
            )
        )
    yield from table(("Setting", "Type", "Default", "Meaning"), rows)


def flat(properties: Mapping[str, Schema], prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Name settings by dotted path; an object of known parts is told by its parts."""
    for name, schema in properties.items():
        if parts := schema.get("properties"):
            yield from flat(parts, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", schema


def kind(schema: Schema) -> str:
    """Name the type of a setting in a reader's words."""
    if choices := schema.get("enum"):
        return " \\| ".join(code(choice) for choice in choices if choice is not None)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if schema.get("format") == "date-time":
        return "date-time"
    return " or ".join(kinds)


def shared_defaults() -> dict[str, str]:
    """Return what each API's own defaults are for the settings that all of them take."""
    statuses = APIS[0].retry.statuses
    return {
        "page_size": by_api(lambda api: api.page_size),
        "requests_per_second": by_api(lambda api: api.requests_per_second),
        "retry.max_retries": by_api(lambda api: api.retry.max_retries),
        "retry.backoff_factor": by_api(lambda api: api.retry.backoff_factor),
        "retry.retry_on_status_codes": ", ".join(map(code, sorted(statuses))),
        "retry.max_retry_after": by_api(lambda api: api.retry.max_retry_after),
    }


def by_api(read: t.Callable[[Api], object]) -> str:
    """Spell a default that may differ from API to API."""
    found = {api.name: value(read(api)) for api in APIS}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return ", ".join(f"{name} {default}" for name, default in found.items())


PAGES: dict[str, tuple[Block, ...]] = {
    "docs/reference/settings.md": (settings,),
    "docs/reference/streams.md": (streams, diagrams, columns),
    "docs/reference/commands.md": (singer, commands, exits),
    "docs/reference/metrics.md": (metrics,),
    "docs/reference/state.md": (position,),
}

if __name__ == "__main__":
    sys.exit(main())
