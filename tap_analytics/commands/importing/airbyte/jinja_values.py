"""Values of expressions: plain ones, and those that only a setting or a run gives."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass, replace

from tap_analytics.commands.importing.python_dict import parse
from tap_analytics.config.declarations.templates import END, START, parse_template

#: Maximum length in characters of a text that is evaluated, and of a value.
LONGEST = 20_000
_VARIABLE = re.compile(r"\$([A-Z_][A-Z0-9_]*)", re.ASCII)


class UndecidedError(Exception):
    """An expression whose value can't be told before a run, or not in the words of the tap."""


@dataclass(frozen=True)
class Placeholder:
    """A value of a run, by the name it has in templates; `form` is the format of a moment."""

    name: str
    form: str | None = None


@dataclass(frozen=True)
class Later:
    """A text with variables of the configuration or with placeholders."""

    parts: tuple[str | Placeholder, ...]
    #: Whether it is neither empty nor null; None if that is unknown.
    is_set: bool | None = None

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders in it."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @property
    def bound(self) -> Placeholder | None:
        """The end of an interval, if it is nothing else."""
        sole = self.parts[0] if len(self.parts) == 1 else None
        return sole if isinstance(sole, Placeholder) and sole.name in {START, END} else None

    def template(self, *, short: bool = False) -> str:
        """Return the text as a template; `short` is that of a path."""
        literal = "".join(part for part in self.parts if isinstance(part, str))
        is_escaped = bool(self.placeholders) or needs_escape(literal, short=short)
        return "".join(
            f"{{{part.name}}}"
            if isinstance(part, Placeholder)
            else escaped(part)
            if is_escaped
            else part
            for part in self.parts
        )


@dataclass(frozen=True)
class Unset:
    """A setting without a default that isn't required; where it is used alone, its variable."""

    variable: str
    name: str = ""


@dataclass(frozen=True)
class Path:
    """A path from one of the variables of a manifest, such as `config`."""

    root: str
    names: tuple[str, ...] = ()


class Lookup(t.Protocol):
    """Finds what a path gives."""

    def __call__(self, path: Path, /) -> Value:
        """Return the value; raises `UndecidedError`."""


#: A plain value, `Later` or `Unset`.
Value = t.Any


def needs_escape(text: str, *, short: bool = False) -> bool:
    """Whether a text without placeholders would be read as a template."""
    if "{" not in text and "}" not in text:
        return False
    try:
        return short or parse_template(text) != text
    except ValueError:
        return True


def escaped(text: str) -> str:
    """Return a text whose braces are sent as they are."""
    return text.replace("{", "{{").replace("}", "}}")


def is_true(value: Value) -> bool:
    """Whether a value counts as true; raises `UndecidedError` if that is unknown."""
    if isinstance(value, Unset):
        return False
    if not isinstance(value, Later):
        return bool(value)
    if value.is_set is None:
        raise UndecidedError
    return value.is_set


def concatenated(values: t.Sequence[Value]) -> Value:
    """Return values as one text, as a template of Jinja writes them."""
    parts: list[str | Placeholder] = []
    is_set: bool | None = False
    is_plain = True
    for value in values:
        is_plain &= not isinstance(value, Later | Unset)
        later = _as_later(value)
        parts += later.parts
        is_set = is_set or later.is_set
    if is_plain:
        return "".join(t.cast("list[str]", parts))
    return Later(_merged(parts), is_set=is_set)


def _as_later(value: Value) -> Later:
    if isinstance(value, Unset):
        return Later((value.variable,))
    return value if isinstance(value, Later) else Later((str(value),), is_set=str(value) != "")


def _merged(parts: list[str | Placeholder]) -> tuple[str | Placeholder, ...]:
    """Join texts that follow each other; a variable before a word gets braces."""
    merged: list[str | Placeholder] = []
    for part in parts:
        before = merged[-1] if merged else None
        if isinstance(part, str) and isinstance(before, str):
            if re.match(r"\w", part) and (last := re.search(rf"{_VARIABLE.pattern}\Z", before)):
                before = f"{before[: last.start()]}${{{last[1]}}}"
            merged[-1] = before + part
        elif part != "":
            merged.append(part)
    return tuple(merged)


def with_format(value: Value, form: str) -> Value:
    """Return the end of an interval in another format."""
    bound = value.bound if isinstance(value, Later) else None
    if bound is None or bound.form is not None:
        raise UndecidedError
    return replace(value, parts=(replace(bound, form=form),))


def literal(value: Value) -> Value:
    """Return a text that is a literal of Python as its value, as the CDK does."""
    if not isinstance(value, str):
        return value
    try:
        found = ast.literal_eval(parse(value.strip(" \t"), mode="eval"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return value
    return value if isinstance(found, complex | bytes | set) else found
