"""What the texts of a manifest give, as far as it is known before a run.

The rules are those of Jinja and of the macros of Airbyte's CDK. No code is run, and what can't be
told is an `UndecidedError`.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace

from tap_analytics.commands.importing.airbyte.jinja_expressions import QUOTED, Expressions
from tap_analytics.commands.importing.airbyte.jinja_values import (
    LONGEST,
    Later,
    UndecidedError,
    concatenated,
    is_true,
    literal,
    merged,
)

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.jinja_values import Lookup, Value

_TOKEN = re.compile(
    r"\{\{(?P<value>(?:'[^']*'|\"[^\"]*\"|[^{}'\"]|\{[^{}]*\})*)\}\}"
    r"|\{%(?P<left>-?)\s*(?P<word>if|elif|else|endif)\b(?P<test>(?:[^{}%]|\{\})*?)(?P<right>-?)%\}"
)
#: A text that is one expression.
_SOLE = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
#: A name that is neither a member, nor a filter, nor that of an argument.
_NAME = re.compile(r"(?<![\w.|])(?<!\| )[A-Za-z_]\w*(?!\w|\s*=[^=])")
#: Names that aren't those of variables: what a value is computed from is the same in each run.
_WORDS = {*("if", "else", "and", "or", "not", "in", "is", "defined", "undefined", "string")}
_WORDS |= {*("none", "None", "true", "True", "false", "False", "number", "mapping", "iterable")}
_WORDS |= {*("format_datetime", "timestamp", "max", "min", "sanitize_url", "str_to_datetime")}


def has_expressions(text: str) -> bool:
    """Whether a text has expressions or blocks."""
    return "{{" in text or "{%" in text


def sole_expression(text: str) -> str | None:
    """Return the source of the expression that a text is; None where it is more, or none."""
    found = _SOLE.fullmatch(text.strip())
    plain = QUOTED.sub("", found[1]) if found else "{{"
    return found[1] if found and not (has_expressions(plain) or "}}" in plain) else None


def needs_only(text: str, roots: t.Collection[str]) -> bool:
    """Whether the expressions of a text name nothing but variables of these names, and any."""
    words = Counter(found["word"] for found in _TOKEN.finditer(text))
    if words["if"] != words["endif"]:
        return False
    sources = [found["value"] or found["test"] or "" for found in _TOKEN.finditer(text)]
    if any(mark in _TOKEN.sub("", text) for mark in ("{{", "{%", "{#")):
        return False
    names = set(_NAME.findall(QUOTED.sub("''", " ".join(sources)))) - _WORDS
    return bool(names) and names <= {*roots}


def evaluate(text: str, look_up: Lookup, *, is_lenient: bool = False) -> Value:
    """Return the value of a text; that of its expression where it is nothing else.

    With `is_lenient`, a condition that can't be told is taken to be true. Raises `UndecidedError`.
    """
    if not has_expressions(text):
        return _unquoted(text)
    if len(text) > LONGEST:
        raise UndecidedError
    try:
        return _unquoted(_Text(Expressions(look_up, is_lenient=is_lenient)).read(text))
    except RecursionError:
        raise UndecidedError from None


def _unquoted(value: Value) -> Value:
    """Return a quoted text without its quotes, as the CDK reads literals of Python."""
    if not isinstance(value, str | Later):
        return value
    parts = [value] if isinstance(value, str) else list(value.parts)
    text = "".join(part if isinstance(part, str) else "_" for part in parts)
    if text[:1] not in ("'", '"') or literal(text) != text[1:-1]:
        return value
    if isinstance(value, str):
        return text[1:-1]
    first, *between, last = parts
    return replace(value, parts=merged([str(first)[1:], *between, str(last)[:-1]]))


@dataclass
class _Block:
    """A condition that is open, and whether one of its branches has been taken."""

    is_active: bool
    was_taken: bool


@dataclass
class _Text:
    """Reads a text from left to right."""

    expressions: Expressions
    values: list[Value] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)

    def read(self, text: str) -> Value:
        end, is_trimmed = 0, False
        for found in _TOKEN.finditer(text):
            source = found["value"] or ""
            is_left = found["left"] == "-" or source.startswith("-")
            self._literal(text[end : found.start()], trims=(is_trimmed, is_left))
            end = found.end()
            is_trimmed = found["right"] == "-" or source.endswith("-")
            if found["word"]:
                self._block(found["word"], found["test"])
            elif self._is_active:
                source = source.removeprefix("-").removesuffix("-")
                self.values.append(self.expressions.value(source))
        self._literal(text[end:].removesuffix("\n"), trims=(is_trimmed, False))
        if self.blocks:
            raise UndecidedError
        return self.values[0] if len(self.values) == 1 else concatenated(self.values)

    @property
    def _is_active(self) -> bool:
        return all(block.is_active for block in self.blocks)

    def _literal(self, text: str, trims: tuple[bool, bool]) -> None:
        if any(mark in text for mark in ("{{", "{%", "{#")):
            raise UndecidedError
        text = text.lstrip() if trims[0] else text
        text = text.rstrip() if trims[1] else text
        if text and self._is_active:
            self.values.append(text)

    def _block(self, word: str, test: str) -> None:
        if word == "if":
            is_met = self._is_active and self._holds(test)
            self.blocks.append(_Block(is_met, was_taken=is_met))
            return
        if not self.blocks:
            raise UndecidedError
        block = self.blocks.pop()
        if word != "endif":
            is_met = self._is_active and not block.was_taken
            is_met = is_met and (word == "else" or self._holds(test))
            self.blocks.append(_Block(is_met, was_taken=is_met or block.was_taken))

    def _holds(self, test: str) -> bool:
        return is_true(self.expressions.value(test))
