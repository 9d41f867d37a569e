"""Values of expressions: plain ones, and those that only a setting or a run gives."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass, replace

from tap_analytics.commands.importing.loading import JsonValue, leaves, parse_python
from tap_analytics.config.declarations.templates import (
    END,
    MOMENT,
    PARTITIONS,
    RECORD,
    RESOURCES,
    START,
    parse_template,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: Maximum length in characters of a text that is evaluated, and of a value.
LONGEST = 20_000

#: The beginning of what the tap takes for a variable.
_VARIABLE = re.compile(r"\$(?=\{?[A-Z_])", re.ASCII)


class UndecidedError(Exception):
    """An expression whose value can't be told before a run, or not in the words of the tap."""


class NothingError(UndecidedError):
    """An expression that fails in Jinja, so that its whole text gives nothing."""


@dataclass(frozen=True)
class Placeholder:
    """A value of a run, by the name it has in templates."""

    name: str
    #: The format of a moment; None for that of the cursor.
    form: str | None = None
    #: The format of the cursor.
    written: str | None = None
    #: Whether it is to be quoted, which is so in a path.
    is_quoted: bool = False
    #: Whether the format is that of a part of a moment, which is no moment itself.
    is_part: bool = False
    #: Whether it is a moment, of which only a text in some format can be sent.
    is_moment: bool = False
    #: What it is put together from; empty for a value of its own.
    joined: tuple[Part, ...] = ()

    @property
    def is_parents(self) -> bool:
        """Whether the row of a parent gives it."""
        return self.name.startswith(f"{RESOURCES}.")

    @property
    def is_rows(self) -> bool:
        """Whether the row itself gives it."""
        return self.name.startswith(f"{RECORD}.")

    @property
    def full_name(self) -> str:
        """The name, with the format of a time of a row; that of a range is `convert`."""
        is_of_row = self.is_parents or self.is_rows
        return f"{self.name}.{self.form}" if self.form and is_of_row else self.name


@dataclass(frozen=True)
class Setting:
    """A setting of the connector, by its variable."""

    variable: str
    #: How its value must be written; None for as it is.
    notation: str | None = None
    #: Whether what it is alone in isn't sent where it isn't set.
    is_optional: bool = False
    #: Whether it may have several values.
    is_list: bool = False


Part = str | Setting | Placeholder


@dataclass(frozen=True)
class Later:
    """A text with variables of the configuration or with placeholders."""

    parts: tuple[Part, ...]
    #: Whether it is neither empty nor null; None if that is unknown.
    is_set: bool | None = None

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders in it."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings in it."""
        return tuple(part for part in self.parts if isinstance(part, Setting))

    @property
    def sole(self) -> Part | None:
        """Its only part."""
        return self.parts[0] if len(self.parts) == 1 else None

    @property
    def bound(self) -> Placeholder | None:
        """The end of an interval, if it is nothing else."""
        sole = self.sole
        if not isinstance(sole, Placeholder) or sole.is_part:
            return None
        return sole if sole.name in {START, END} else None

    def template(self, *, is_path: bool = False) -> str:
        """Return the text as a template.

        Raises `UndecidedError` for what only a path quotes, for a moment without a format, and for
        what has no text.
        """
        if not self.parts:
            raise UndecidedError
        for part in self.placeholders:
            if (part.is_quoted and not is_path) or part.name == MOMENT or part.is_moment:
                raise UndecidedError
        literal = "".join(part for part in self.parts if isinstance(part, str))
        is_escaped = bool(self.placeholders) or needs_escape(literal, is_path=is_path)
        following = (*self.parts[1:], "")
        return "".join(
            _part_text(part, after, is_escaped=is_escaped, is_path=is_path)
            for part, after in zip(self.parts, following, strict=True)
        )


def _part_text(part: Part, after: Part, *, is_escaped: bool, is_path: bool) -> str:
    if isinstance(part, Placeholder):
        if part.is_part:
            return f"{{{part.name}.{part.form}}}"
        # Slashes of a value stay in a path, unless an expression quotes them.
        is_free = part.is_parents or part.name.startswith(f"{PARTITIONS}.")
        keeps_slashes = is_path and is_free and not part.is_quoted
        return f"{{+{part.full_name}}}" if keeps_slashes else f"{{{part.full_name}}}"
    if isinstance(part, Setting):
        if part.is_optional:
            return f"${{{part.variable[1:]}:-}}"
        is_joined = isinstance(after, str) and re.match(r"\w", after)
        return f"${{{part.variable[1:]}}}" if is_joined else part.variable
    return literal_text(part, is_escaped=is_escaped)


@dataclass(frozen=True)
class Unset:
    """A setting without a default that isn't required; where it is used alone, its variable."""

    name: str = ""
    variable: str | None = None
    #: Whether the connector describes it.
    is_known: bool = False
    is_list: bool = False
    #: Whether an expression says that it is empty then.
    is_empty: bool = False

    @property
    def later(self) -> Later:
        """The value where a user fills it in."""
        if not self.variable or self.is_empty:
            return Later(("",))
        return Later((Setting(self.variable, is_list=self.is_list),))

    @property
    def optional(self) -> Later | None:
        """The value that isn't sent where a user doesn't fill it in; None for an unknown one."""
        if not self.variable or not self.is_known:
            return None
        return Later((Setting(self.variable, is_optional=True, is_list=self.is_list),))


@dataclass(frozen=True)
class Path:
    """A path from one of the variables of a manifest, such as `config`."""

    root: str
    names: tuple[str, ...] = ()
    #: Whether the text is `None` where it gives nothing.
    is_none: bool = False


class Lookup(t.Protocol):
    """Finds what a path gives."""

    def __call__(self, path: Path, /) -> Value:
        """Return the value; raises `UndecidedError`."""


#: A plain value, `Later` or `Unset`.
Value = t.Any


def are_known(*values: Value) -> bool:
    """Whether all values are plain ones."""
    return not any(isinstance(each, Later | Unset) for each in values)


def sole_part(value: Value) -> Part | None:
    """Return the only part of a value that is known later; None for others."""
    return value.sole if isinstance(value, Later) else None


def needs_escape(text: str, *, is_path: bool = False) -> bool:
    """Whether a text without placeholders would be read as a template."""
    if "{" not in text and "}" not in text:
        return False
    try:
        return is_path or parse_template(text) != text
    except ValueError:
        return True


def literal_text(text: str, *, is_escaped: bool) -> str:
    """Return a text that is sent as it is: without variables, and without templates if escaped."""
    text = _VARIABLE.sub("$$", text)
    return text.replace("{", "{{").replace("}", "}}") if is_escaped else text


def or_empty(value: Value, other: Value) -> Value:
    """Return the second value, which is in the place of one that isn't set."""
    if isinstance(value, Unset) and value.variable and other == "":
        return replace(value, is_empty=True)
    return other


def known_text(value: Value) -> Value:
    """Return an empty text for a setting whose expression says that it is one without it."""
    return "" if isinstance(value, Unset) and value.is_empty else value


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
    parts: list[Part] = []
    is_set: bool | None = False
    for value in values:
        later = as_later(value)
        parts += later.parts
        is_set = is_set or later.is_set
    if all(isinstance(part, str) for part in parts):
        return "".join(t.cast("list[str]", parts))
    return Later(merged(parts), is_set=is_set)


def as_later(value: Value) -> Later:
    """Return a value as text; raises `UndecidedError` for one that has none."""
    if isinstance(value, Unset):
        return value.later
    if isinstance(value, Later):
        if not value.parts:
            raise UndecidedError
        return value
    if any(laters_in(value)):
        raise UndecidedError
    return Later((str(value),), is_set=str(value) != "")


def merged(parts: list[Part]) -> tuple[Part, ...]:
    """Join texts that follow each other."""
    made: list[Part] = []
    for part in parts:
        before = made[-1] if made else None
        if isinstance(part, str) and isinstance(before, str):
            made[-1] = before + part
        elif part != "":
            made.append(part)
    return tuple(made)


def with_notation(value: Value, notation: str, *, form: str) -> Value:
    """Return the end of an interval in another format, or a setting that is written so."""
    value = value.later if isinstance(value, Unset) else value
    sole = sole_part(value)
    if isinstance(sole, Setting) and sole.notation is None:
        return replace(value, parts=(replace(sole, notation=notation),))
    if isinstance(value, Later) and value.bound and value.bound.form is None:
        return replace(value, parts=(replace(value.bound, form=form),))
    raise UndecidedError


def literal(value: Value) -> Value:
    """Return a text that is a literal of Python as its value, as the CDK does."""
    if not isinstance(value, str):
        return value
    try:
        found = ast.literal_eval(parse_python(value.strip(" \t"), mode="eval"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return value
    return value if isinstance(found, complex | bytes | set) else found


def as_template(value: Value, *, is_path: bool = False) -> str:
    """Return a value as a text of the entry."""
    if isinstance(value, Later):
        return value.template(is_path=is_path)
    return literal_text(str(value), is_escaped=needs_escape(str(value), is_path=is_path))


def with_templates(value: Value) -> JsonValue:
    """Return a value with its texts as templates."""
    if isinstance(value, dict):
        return {str(name): with_templates(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [with_templates(each) for each in value]
    if isinstance(value, Unset):
        return value.variable
    return as_template(value) if isinstance(value, str | Later) else value


def laters_in(value: Value) -> Iterator[Later]:
    """Yield what is known later in a value."""
    for each in leaves(value):
        if isinstance(each, Later | Unset):
            yield each if isinstance(each, Later) else each.later
