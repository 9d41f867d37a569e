"""Convert partition routers: the parents of a stream, and its lists of values.

A router with several parents reads below each of them, and several routers are crossed.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from tap_analytics.commands.importing.airbyte.added_fields import joined_of
from tap_analytics.commands.importing.airbyte.jinja_texts import has_expressions
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    UndecidedError,
    Unset,
    literal,
)
from tap_analytics.commands.importing.airbyte.request_scope import Scope, placeholder
from tap_analytics.commands.importing.airbyte.stream_parts import first_sync, name_of
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.config.declarations.object_reader import NAME
from tap_analytics.config.declarations.templates import PARTITIONS, RESOURCES

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.loading import Object

#: Why a stream is left out whose parents aren't in one line.
PAIRS = "it is read for each pair of rows of two parents"
#: Most generations of parents.
DEEPEST = 8
#: What the tap does in another way, which brings the same rows.
_OTHERWISE = {
    "incremental_dependency": "is not needed: every run reads what is below all parents.",
    "lazy_read_pointer": "is not needed: the rows in its parent's response are requested.",
}
_ENDS = (("partition_field_start", "start_time"), ("partition_field_end", "end_time"))


@dataclass(frozen=True, kw_only=True)
class Partitioning:
    """What a stream is read for: the rows of parents, values of lists, windows of time."""

    scope: Scope = field(default_factory=Scope)
    parents: tuple[Component, ...] = ()
    #: The `partitions` of the resource.
    lists: Object = field(default_factory=dict)
    #: Where values are sent besides those that the request names: the option, and the value.
    options: tuple[tuple[Component, Later], ...] = ()


def partitioning_of(
    stream: Component, retriever: Component, *, has_range: bool = True
) -> Partitioning:
    """Return what a stream is read for; raises `UnsupportedError`.

    Without `has_range`, there is no range of times unless a cursor gives one.
    """
    made = _routers_of(retriever, 0)
    made = replace(made, scope=replace(made.scope, has_range=has_range))
    cursor = stream.child("incremental_sync")
    if cursor is None or cursor.kind != "DatetimeBasedCursor":
        return made
    names = tuple(cursor.text(word) or default for word, default in _ENDS)
    form = cursor.get("datetime_format")
    scope = replace(made.scope, interval=names, form=form and str(form))
    return replace(made, scope=scope)


def _routers_of(retriever: Component, depth: int) -> Partitioning:
    made = Partitioning()
    for router in _routers(retriever):
        if router.kind == "SubstreamPartitionRouter":
            found = _parent(router, depth)
        elif router.kind == "ListPartitionRouter":
            found = _list(router)
        else:
            raise UnsupportedError(f"it is partitioned by {shown(router.kind)}")
        made = _crossed(made, found)
        router.note_unread()
    return made


def _crossed(first: Partitioning, second: Partitioning) -> Partitioning:
    """Return what is read for each pair; of two values of a name, the CDK takes the first."""
    known, given = first.scope.partitions, second.scope.partitions
    if twice := [path[0] for path in given if len(path) == 1 and path in known]:
        raise UnsupportedError(f"two of its partition routers give `{shown(twice[0])}`")
    own = {name for path, name in given.items() if len(path) == 1}
    if own.intersection(name for path, name in known.items() if len(path) == 1):
        raise UnsupportedError(PAIRS)
    if first.parents:
        given = {path: name for path, name in given.items() if path[0] != "parent_slice"}
    return Partitioning(
        scope=Scope(
            partitions={**given, **known},
            fixed={**first.scope.fixed, **second.scope.fixed},
            joined={**first.scope.joined, **second.scope.joined},
        ),
        parents=first.parents + second.parents,
        lists=first.lists | second.lists,
        options=first.options + second.options,
    )


def _routers(retriever: Component) -> list[Component]:
    for word in ("partition_router", "stream_slicer"):
        given = retriever.get(word)
        if isinstance(given, list):
            return retriever.children(word)
        if (router := retriever.child(word)) is not None:
            return [router]
    return []


# --- parents --------------------------------------------------------------------------------


def _parent(router: Component, depth: int) -> Partitioning:
    configs = router.children("parent_stream_configs")
    if len(configs) != 1:
        raise UnsupportedError(f"it is read below the rows of {len(configs)} parents")
    (config,) = configs
    stream = config.child("stream")
    key, name = config.text("parent_key"), config.text("partition_field")
    if stream is None or not key or not name:
        raise UnsupportedError("its parent has no stream, parent_key or partition_field")
    own = f"{RESOURCES}.{name_of(stream)}"
    try:
        value = placeholder(own, *key.replace("/", ".").split("."))
        extra: dict[tuple[str, ...], str] = {
            ("extra_fields", ".".join(path)): placeholder(own, *path).name
            for path in _extra_fields(config)
        }
    except UndecidedError:
        raise UnsupportedError(f"`{shown(key)}` of its parent can't be a placeholder") from None
    for word, what in _OTHERWISE.items():
        if config.get(word):
            config.note(word, what)
    above = _above(stream, own, depth)
    joined = {value.name: parts} if (parts := joined_of(stream, key, own)) else {}
    scope = Scope(partitions={(name,): value.name, **extra, **above}, joined=joined)
    options = ((option, Later((value,))),) if (option := config.child("request_option")) else ()
    config.note_unread()
    return Partitioning(scope=scope, parents=(stream,), options=options)


def _extra_fields(config: Component) -> list[list[str]]:
    given = config.get("extra_fields") or []
    if not isinstance(given, list) or not all(map(_is_path, given)):
        raise UnsupportedError("the extra_fields of its parent are computed")
    return given


def _is_path(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, str) and not has_expressions(each) for each in value
    )


def _above(parent: Component, own: str, depth: int) -> dict[tuple[str, ...], str]:
    """Return the values that the parent itself is read for, by their path."""
    try:
        retriever = first_sync(parent).child("retriever")
        if retriever is None or depth >= DEEPEST:
            return {}
        partitions = _routers_of(retriever, depth + 1).scope.partitions
    except UnsupportedError:
        # Which leaves out the parent, and so the stream.
        return {}
    # The values of lists are columns of the parent.
    return {
        ("parent_slice", *path): re.sub(rf"^{PARTITIONS}(?=\.)", own, name)
        for path, name in partitions.items()
        if path[0] != "extra_fields"
    }


# --- lists of values ------------------------------------------------------------------------


def _list(router: Component) -> Partitioning:
    field_name = router.text("cursor_field")
    values = _values(router)
    if not field_name:
        raise UnsupportedError("its list of values has no cursor_field")
    column = re.sub(r"[^A-Za-z0-9_]+", "_", field_name).strip("_")
    if not NAME.fullmatch(column):
        raise UnsupportedError(f"`{shown(field_name)}` can't be a column")
    value = placeholder(f"{PARTITIONS}.{column}")
    option = router.child("request_option")
    return Partitioning(
        scope=Scope(
            partitions={(field_name,): value.name},
            fixed={value.name: values[0]} if isinstance(values, list) and len(values) == 1 else {},
        ),
        lists={column: values},
        options=((option, Later((value,))),) if option else (),
    )


def _values(router: Component) -> list[str | int] | str:
    given = router.get("values")
    if isinstance(given, str):
        try:
            given = router.evaluated(given, "values")
            given = given.later if isinstance(given, Unset) else given
            setting = _variable(given) if isinstance(given, Later) else None
        except UndecidedError:
            raise UnsupportedError("its list of values is computed") from None
        if setting is not None:
            router.note("values", "is a setting: write its values with commas between them.")
            return setting
        given = literal(given)
    if not isinstance(given, list) or not given:
        raise UnsupportedError("its list of values is empty, or isn't a list")
    values = [*dict.fromkeys(given)] if all(map(_is_value, given)) else []
    if not values:
        raise UnsupportedError("its list has other values than texts and whole numbers")
    return values


def _variable(given: Later) -> str:
    if given.placeholders:
        raise UndecidedError
    return given.template()


def _is_value(value: object) -> bool:
    is_text = isinstance(value, str) and value.strip() not in {"", ".", ".."}
    return type(value) is int or (is_text and "$" not in str(value))
