"""A setting as a value, and the JSON schema it stands for."""

from __future__ import annotations

import typing as t
from dataclasses import KW_ONLY, dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = t.Literal["string", "integer", "number", "boolean", "object", "array", "date-time"]
JsonSchema = dict[str, t.Any]

_SPELLING = {"api": "API", "id": "ID", "url": "URL"}


@dataclass(frozen=True)
class Setting:
    """One setting. One named `base_url` is always required and an http(s) URL."""

    name: str
    kind: Kind
    description: str
    _: KW_ONLY
    #: Derived from the name where it isn't given.
    title: str = ""
    default: object = None
    #: A good value, for errors and documentation to show.
    example: str = ""
    secret: bool = False
    required: bool = False
    #: Whether an explicit null has a meaning of its own: "send none".
    nullable: bool = False
    choices: tuple[object, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    #: Exclusive minimum.
    above: float | None = None
    #: The settings inside of one whose kind is object.
    parts: tuple[Setting, ...] = ()
    #: JSON schema words for the inside of a list, or of an object whose keys are the user's.
    inside: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_needed(self) -> bool:
        """Whether an object that is given must have a value here."""
        return self.required or self.name == "base_url"

    def schema(self) -> JsonSchema:
        """Return the JSON schema of the setting's value."""
        kind = "string" if self.kind == "date-time" else self.kind
        choices = [*self.choices, *([None] if self.nullable else [])]
        words = {
            "type": [kind, "null"] if self.nullable else kind,
            "title": self.title or _title(self.name),
            "description": self.description,
            "format": self._format(),
            "default": self.default,
            "secret": self.secret or None,
            "enum": choices if self.choices else None,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "exclusiveMinimum": self.above,
            "examples": [self.example] if self.example else None,
        }
        given = {word: value for word, value in words.items() if value is not None}
        return {**given, **(closed(self.parts) if self.parts else {}), **self.inside}

    def _format(self) -> str | None:
        if self.name == "base_url":
            return "uri"
        return "date-time" if self.kind == "date-time" else None


def _title(name: str) -> str:
    words = " ".join(_SPELLING.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def closed(settings: Iterable[Setting]) -> JsonSchema:
    """Return the schema words of an object that takes these settings and no others."""
    settings = tuple(settings)
    needed = [setting.name for setting in settings if setting.is_needed]
    return {
        "properties": {setting.name: setting.schema() for setting in settings},
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }
