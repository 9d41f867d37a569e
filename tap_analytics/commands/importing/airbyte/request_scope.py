"""What the expressions of a stream may refer to, besides the configuration and parameters."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Path,
    Placeholder,
    UndecidedError,
    Unset,
    Value,
)
from tap_analytics.config.declarations.templates import END, START

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.commands.importing.airbyte.jinja_values import Part

#: Names of what a request is made for: in Airbyte they are one object.
SLICES = {"stream_partition", "stream_slice", "stream_interval"}
#: The name of the page in expressions, once its token has been read.
PAGE_NUMBER = "page_number"
#: The name of the page in expressions as they are written.
NEXT_PAGE = "next_page_token"
#: What isn't known before a run.
RUN_ROOTS = (*SLICES, NEXT_PAGE, "stream_state")
_RANGE = {"start_time", "end_time"}
#: What slices have or may have.
_OF_SLICES = {
    *dir(dict),
    *("partition", "cursor_slice", "extra_fields", "parent_slice", *_RANGE),
}
#: A name that may be part of a placeholder in any part of a request.
_MEMBER = re.compile(r"[^\s{}.?#&=+%/;\\]+")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The values of a stream's slices, as placeholders of the tap."""

    #: By path below the slice: `("customer_id",)` is `resources.customers.id`.
    partitions: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    #: The values of those that have only one, by placeholder, and those that are said at once.
    fixed: Mapping[str, str | int] = field(default_factory=dict)
    said: Mapping[str, str | int] = field(default_factory=dict)
    #: What values are put together from, by placeholder.
    joined: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    #: The names of start and end of an interval; empty without a cursor.
    interval: tuple[str, ...] = ()
    #: The format of these.
    form: str | None = None
    #: Whether there may be an interval.
    has_range: bool = True
    #: The placeholder of the page.
    page: str = ""
    #: Whether the request is that of the first page, by cursor; None if that isn't told apart.
    is_first: bool | None = None

    def settled(self) -> Scope:
        """Return the scope with values in the place of placeholders that have only one."""
        return replace(self, fixed={}, said=self.fixed)

    def look_up(self, path: Path) -> Value:
        """Return the value at a path; raises `UndecidedError`."""
        if path == Path(PAGE_NUMBER) and self.page:
            return Later((Placeholder(self.page),))
        if path.root == NEXT_PAGE and self.is_first is not None:
            return self._token(path.names)
        if path.root not in SLICES:
            raise UndecidedError
        if not path.names and (self.interval or self.partitions):
            # Only whether it is there can be told.
            return Later((), is_set=True)
        for length in range(len(path.names), 0, -1):
            if name := self.partitions.get(path.names[:length]):
                found = placeholder(name, *path.names[length:])
                later = Later((replace(found, joined=self.joined.get(found.name, ())),))
                return self.said.get(name, later)
        return self._bound(path.names)

    def _token(self, names: tuple[str, ...]) -> Value:
        """Return the token of a page by cursor, or whether there is one."""
        if self.is_first:
            return Unset() if names else None
        if names not in {(), (NEXT_PAGE,)}:
            raise UndecidedError
        return Later((Placeholder(self.page),) if names and self.page else (), is_set=True)

    def _bound(self, names: tuple[str, ...]) -> Value:
        if names[:1] == ("cursor_slice",):
            names = names[1:]
        if len(names) == 1 and names[0] in self.interval:
            name = START if names[0] == self.interval[0] else END
            return Later((Placeholder(name, written=self.form),), is_set=True)
        if not self.has_range and len(names) == 1 and names[0] in _RANGE:
            # Only that it isn't there can be told: its name was meant to give something.
            return Later((), is_set=False)
        if len(names) == 1 and _MEMBER.fullmatch(names[0]) and names[0] not in _OF_SLICES:
            # As in Jinja, nothing.
            return Unset()
        raise UndecidedError


def placeholder(first: str, *names: str) -> Placeholder:
    """Return a placeholder; raises `UndecidedError` for a name that none can have."""
    if not all(_MEMBER.fullmatch(name) for name in names):
        raise UndecidedError
    return Placeholder(".".join((first, *names)))


#: Nothing but the configuration and parameters.
NOTHING = Scope()
