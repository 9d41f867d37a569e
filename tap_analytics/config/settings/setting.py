"""What a setting is, and the JSON schema that it makes."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th
from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterable

JsonSchema = dict[str, t.Any]

_SPELLING = {"api": "API", "id": "ID", "url": "URL"}


class Setting(th.Property[t.Any]):
    """A setting; null counts as missing unless the setting is nullable."""

    name: str
    secret: bool

    def __init__(  # noqa: PLR0913 - what a setting is, each by its name
        self,
        name: str,
        description: str,
        type_: th.JSONTypeHelper[t.Any] | type = th.StringType,
        *,
        title: str = "",
        default: object = None,
        example: str = "",
        secret: bool = False,
        required: bool = False,
        nullable: bool = False,
        replaces: tuple[str, ...] = (),
    ) -> None:
        """Declare a setting; one named `base_url` is always required and an http(s) URL.

        `example` is a valid value for errors and documentation. Settings that it `replaces` are
        required only without it, and refused beside it.
        """
        self.replaces = replaces
        is_url = name == "base_url"
        super().__init__(
            name,
            th.URIType if is_url else type_,
            required=required or is_url,
            default=default,
            description=description,
            secret=secret,
            examples=[example] if example else None,
            nullable=nullable,
            title=title or _title(name),
        )

    @property
    def required(self) -> bool:
        """Whether the setting is required in its block."""
        return not self.optional

    @property
    def kind(self) -> str:
        """The JSON type of a value."""
        return str(_plain(self.type_dict)["type"])

    @property
    def parts(self) -> tuple[Setting, ...]:
        """The settings inside an object."""
        inside = self.wrapped.wrapped if isinstance(self.wrapped, th.ObjectType) else {}
        return t.cast("tuple[Setting, ...]", tuple(inside.values()))

    @override
    def to_dict(self) -> JsonSchema:
        schema = _plain(self.type_dict)
        if self.nullable:
            schema["type"] = [schema["type"], "null"]
            schema |= {"enum": [*schema["enum"], None]} if "enum" in schema else {}
        keywords = {
            "title": self.title,
            "description": self.description,
            "default": self.default,
            "secret": self.secret or None,
            "examples": self.examples,
        }
        return {self.name: schema | {k: v for k, v in keywords.items() if v is not None}}


def _title(name: str) -> str:
    title = " ".join(_SPELLING.get(part, part) for part in name.split("_"))
    return title[:1].upper() + title[1:]


def _plain(fragment: t.Any) -> t.Any:  # noqa: ANN401 - any part of a schema
    """Return a schema with plain types, where the SDK has lists of one type."""
    if not isinstance(fragment, dict):
        return fragment
    plain = {keyword: _plain(value) for keyword, value in fragment.items() if value != {}}
    if isinstance(kinds := plain.get("type"), list) and len(kinds) == 1:
        plain["type"] = kinds[0]
    return plain


def closed(settings: Iterable[Setting]) -> JsonSchema:
    """Return the schema of an object with these settings and no others."""
    schema = th.ObjectType(*settings, additional_properties=False).type_dict
    return t.cast("JsonSchema", _plain(schema))
