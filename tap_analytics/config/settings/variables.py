"""Variables in `apis`: `$NAME` and `${NAME}` stand for a value of the environment.

Names have capital letters, digits and `_` only, so that `$.data` and GraphQL's `$first` are no
variables; `$$NAME` is the text `$NAME`. `${NAME:-}` is empty where the variable isn't set, and what
is nothing but that is left out of its object or list.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from tap_analytics.config.settings.checks import shown_name

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

_VARIABLE = re.compile(r"\$(\$?)(?:\{([A-Z_][A-Z0-9_]*)(:-)?\}|([A-Z_][A-Z0-9_]*)(?!\w))", re.ASCII)


@dataclass(kw_only=True)
class Expansion:
    """Expands variables; collects their values, and the problems with them."""

    environment: Callable[[], Mapping[str, str]]
    #: Whether only a text that is nothing but a variable is expanded.
    whole_only: bool = False
    problems: list[str] = field(default_factory=list)
    #: Each text that had variables, as expanded, with their values.
    _texts: list[tuple[str, list[str]]] = field(default_factory=list, repr=False)

    @cached_property
    def _variables(self) -> Mapping[str, str]:
        return self.environment()

    def expand(self, value: t.Any, path: str) -> t.Any:  # noqa: ANN401 - any JSON value
        """Return a setting with the values of variables."""
        if isinstance(value, dict):
            return {
                name: self.expand(inner, f"{path}.{shown_name(str(name))}")
                for name, inner in value.items()
                if self._is_kept(inner)
            }
        if isinstance(value, list):
            return [
                self.expand(inner, f"{path}[{at}]")
                for at, inner in enumerate(value)
                if self._is_kept(inner)
            ]
        return self._expanded(value, path) if isinstance(value, str) and "$" in value else value

    def secrets(self, known: Collection[str]) -> Iterator[str]:
        """Yield the values that are part of a known secret."""
        for text, values in self._texts:
            if text in known:
                yield from values

    def _is_kept(self, value: object) -> bool:
        found = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
        if found is None or found[1] or not found[3]:
            return True
        return found[2] in self._variables

    def _expanded(self, text: str, path: str) -> str:
        is_part = self.whole_only and not _VARIABLE.fullmatch(text)
        values: list[str] = []

        def value_of(found: re.Match[str]) -> str:
            escape, braced, optional, bare = found.groups()
            name = braced or bare
            # Meltano knows no optional ones.
            if is_part and not optional:
                return found[0]
            if escape:
                return found[0][1:]
            if name not in self._variables:
                if optional:
                    return ""
                hint = "Set it; in a text that has a dollar sign itself, write two."
                self.problems.append(f"`{path}` names the variable {name}, which isn't set. {hint}")
                return ""
            values.append(self._variables[name])
            return values[-1]

        text = _VARIABLE.sub(value_of, text)
        if values:
            self._texts.append((text, values))
        return text
