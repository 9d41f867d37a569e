"""Filter expressions of JSONPath for what a condition of Jinja says of a row.

Jinja knows three outcomes: a condition holds, it doesn't, or it fails. A field of a field that
isn't there fails, and the CDK drops the row; values that have no order fail too, and it keeps the
row, because it takes the text of the condition for its value.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_analytics.commands.importing.loading import JsonValue

#: A filter expression, or what it always gives.
Formula = str | bool
Segments = tuple[str, ...]

#: Texts that the CDK counts as false where a condition is nothing but a field.
_FALSE_TEXTS = ("", "False", "false", "None", "0", "0.0", "{}", "[]", "()")
_INVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_PLAIN_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$")


def all_of(*parts: Formula) -> Formula:
    """Return what holds where all parts do."""
    return _joined(parts, "&&", "||", neutral=True)


def any_of(*parts: Formula) -> Formula:
    """Return what holds where one of the parts does."""
    return _joined(parts, "||", "&&", neutral=False)


def _joined(parts: Iterable[Formula], sign: str, other: str, *, neutral: bool) -> Formula:
    """Return parts joined by a sign, those with the other one in parentheses."""
    found = [part for part in dict.fromkeys(parts) if part is not neutral]
    if not found or (not neutral) in found:
        return neutral if not found else not neutral
    texts = [f"({part})" if other in str(part) else str(part) for part in found]
    return str(found[0]) if len(found) == 1 else f" {sign} ".join(texts)


def negated(part: Formula) -> Formula:
    """Return what holds where a part doesn't."""
    if isinstance(part, bool):
        return not part
    if part.startswith("!(") and part.endswith(")") and part.count("(") == 1:
        return part[2:-1]
    is_path = part.lstrip("!").startswith("@") and not any(sign in part for sign in " =<>")
    if is_path:
        return part[1:] if part.startswith("!") else f"!{part}"
    return f"!({part})"


@dataclass(frozen=True)
class Outcome:
    """Where a condition holds, where it doesn't, and where it fails so that the row is kept."""

    holds: Formula
    fails: Formula
    keeps: Formula = False

    @classmethod
    def known(cls, value: object) -> Outcome:
        """Return the outcome of a value that doesn't depend on the row."""
        return cls(bool(value), not value)

    def inverse(self) -> Outcome:
        """Return the outcome of `not`."""
        return replace(self, holds=self.fails, fails=self.holds)

    def where(self, guard: Formula) -> Outcome:
        """Return the outcome of what fails, and drops the row, where a guard doesn't hold."""
        return Outcome(*(all_of(guard, part) for part in (self.holds, self.fails, self.keeps)))


def conjunction(first: Outcome, second: Outcome) -> Outcome:
    """Return the outcome of `and`."""
    return Outcome(
        all_of(first.holds, second.holds),
        any_of(first.fails, all_of(first.holds, second.fails)),
        any_of(first.keeps, all_of(first.holds, second.keeps)),
    )


def disjunction(first: Outcome, second: Outcome) -> Outcome:
    """Return the outcome of `or`."""
    return conjunction(first.inverse(), second.inverse()).inverse()


@dataclass(frozen=True)
class Field:
    """A field of a row, as an expression of Jinja reaches it."""

    path: Segments
    #: What must hold of the row, or the expression fails.
    guard: Formula = True
    #: What stands for a field that isn't there; `...` is Jinja's undefined value.
    default: object = ...
    #: Whether the length of the value is meant.
    is_length: bool = False
    #: Whether an empty object stands for null too.
    is_object: bool = False

    @property
    def text(self) -> str:
        """The field as a path of JSONPath."""
        found = "@" + "".join(map(_segment, self.path))
        return f"length({found})" if self.is_length else found

    @property
    def exists(self) -> Formula:
        """Where the row has the field."""
        return replace(self, is_length=False).text

    @property
    def uncounted(self) -> Formula:
        """Where the value has no length, so that it can't be counted or searched."""
        odd = all_of(self.exists, f"!(length({self.exists}) >= 0)")
        return any_of(odd, negated(self.exists)) if self.default is None else odd

    def member(self, name: str) -> Field:
        """Return the field `x.name`: it fails where `x` is undefined."""
        is_safe = not self.path or self.default is not ...
        guard = self.guard if is_safe else all_of(self.guard, self.exists)
        return Field((*self.path, name), guard)

    def length(self) -> Field:
        """Return `x | length`: what is undefined has none, and null can't be counted."""
        default = self.default
        counted = len(default) if isinstance(default, str | list | dict) else default
        return replace(self, is_length=True, default=0 if default is ... else counted)

    def got(self, name: str, default: object) -> Field:
        """Return the field `x.get(name, default)`: it fails where `x` is no object."""
        guard = self.guard
        if self.path and not self.is_object:
            is_object = f"{self.text} != null"
            has_default = isinstance(self.default, dict)
            guard = all_of(guard, True if has_default else self.exists, is_object)
        return Field((*self.path, name), guard, default)

    # --- what is asked of a field -----------------------------------------------------------

    def equals(self, *values: object) -> Outcome:
        """Return the outcome of `x == value`, or of `x in values`."""
        parts: list[Formula] = []
        for value in values:
            parts.append(f"{self.text} == {as_literal(value)}")
            if value in {0, 1} and isinstance(value, bool | int | float):
                # As in Python, 1 and true are equal.
                twin = int(value) if isinstance(value, bool) else bool(value)
                parts.append(f"{self.text} == {as_literal(twin)}")
            if self._stands_for(value):
                parts.append(negated(self.exists))
        holds = any_of(*parts)
        odd = self.uncounted if self.is_length else False
        return Outcome(holds, all_of(negated(holds), negated(odd)), odd).where(self.guard)

    def is_none(self) -> Outcome:
        """Return the outcome of `x is none`."""
        return self.equals(None)

    def is_defined(self) -> Outcome:
        """Return the outcome of `x is defined`."""
        holds: Formula = True if self.default is not ... else self.exists
        return Outcome(holds, negated(holds)).where(self.guard)

    def ordered(self, sign: str, value: float | str) -> Outcome:
        """Return the outcome of `x < value` and the like."""
        literal = as_literal(value)
        holds, fails = f"{self.text} {sign} {literal}", f"{self.text} {_INVERSE[sign]} {literal}"
        found = Outcome(holds, fails, all_of(self.exists, negated(any_of(holds, fails))))
        if self.default is not ...:
            lacks = negated(self.exists)
            stands = _compared(self.default, sign, value)
            found = Outcome(
                any_of(holds, all_of(lacks, stands is True)),
                any_of(fails, all_of(lacks, stands is False)),
                any_of(found.keeps, all_of(lacks, stands is None)),
            )
        return found.where(self.guard)

    def truth(self) -> Outcome:
        """Return the outcome of `x` as a part of a condition."""
        if self.is_length:
            return self.ordered(">", 0)
        path = self.exists
        signs = (f"{path} == true", f"{path} < 0", f"{path} > 0", f"length({path}) > 0")
        stands = self.default is not ... and bool(self.default)
        holds = any_of(*signs, all_of(negated(path), stands))
        return Outcome(holds, negated(holds)).where(self.guard)

    def shown(self) -> Outcome:
        """Return the outcome of `x` as the value of a condition, which is read as text."""
        texts = [f"{self.text} != {as_literal(text)}" for text in _FALSE_TEXTS[1:]]
        found = self.truth()
        return replace(found, holds=all_of(found.holds, *texts))

    def _stands_for(self, value: object) -> bool:
        return self.default is not ... and self.default == value


def _compared(first: JsonValue, sign: str, second: JsonValue) -> bool | None:
    """Return a comparison of values; None if they have no order."""
    numbers = all(isinstance(each, int | float) for each in (first, second))
    if not numbers and not all(isinstance(each, str) for each in (first, second)):
        return None
    outcomes = {"<": first < second, "<=": first <= second, ">": first > second}
    return bool(outcomes.get(sign, first >= second))


def _segment(part: str) -> str:
    if part and _PLAIN_NAME.issuperset(part):
        return f".{part}"
    return f"[{as_literal(part)}]"


def as_literal(value: object) -> str:
    """Return a value as it stands in a filter expression."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)
