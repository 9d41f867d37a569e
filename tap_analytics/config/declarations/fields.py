"""The fields of an object: how each is read, and what the reference says of it.

Objects of the vocabulary are tables of fields; what else a table is for (known names, defaults,
documentation) is derived from it.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import KW_ONLY, dataclass, field

from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader, scalar
from tap_analytics.config.settings.catalog import MOST_ROWS
from tap_analytics.config.settings.checks import header_problem, url_problem

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Made = t.TypeVar("Made")


@dataclass(frozen=True)
class Kind:
    """A kind of value: its name in the reference, and what reads it.

    `read` reports a wrong value and returns None, or a value that does no harm.
    """

    name: str
    read: Callable[[ObjectReader, str], t.Any]


@dataclass(frozen=True)
class Field:
    """A field of an object."""

    kind: Kind
    #: One sentence for the reference.
    meaning: str
    _: KW_ONLY
    #: Its value where it is missing.
    default: t.Any = None
    required: bool = False
    #: Whether null differs from a missing field.
    nullable: bool = False
    #: Whether dlt's REST source knows it, by this name.
    in_dlt: bool = True

    def read(self, reader: ObjectReader, name: str) -> t.Any:  # noqa: ANN401 - by its kind
        """Return the value, or the default where it is missing or wrong."""
        value = None
        if name in reader:
            value = self.kind.read(reader, name)
        elif self.required:
            reader.missing(name)
        return self.default if value is None else value


Fields: t.TypeAlias = "Mapping[str, Field]"


def read_fields(reader: ObjectReader, fields: Fields) -> dict[str, t.Any]:
    """Return the values of fields by name, without those that are missing and have no default."""
    found = {name: each.read(reader, name) for name, each in fields.items()}
    return {
        name: value
        for name, value in found.items()
        if value is not None or (fields[name].nullable and name in reader.given)
    }


# --- objects of several types -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Variant(t.Generic[Made]):
    """An object of one `type`: its other fields, and what they make."""

    #: Its attributes of the names of fields are their defaults.
    makes: type[Made]
    #: Makes it of the values, where they aren't its attributes by name.
    make: Callable[[ObjectReader, dict[str, t.Any]], Made] | None = None
    #: One sentence for the reference.
    meaning: str
    fields: Fields = field(default_factory=dict)
    in_dlt: bool = True


def read_variant(
    value: object,
    place: ConfigPath,
    variants: Mapping[str, Variant[Made]],
    *,
    shown: Collection[str] | None = None,
) -> Made | None:
    """Read an object by its `type`; None for an unknown one.

    Names of fields that aren't in `shown`, if given, may be credentials and are hidden.
    """
    known = value if isinstance(value, dict) else ()
    kind = ObjectReader(value, place, known, shown=shown).choice("type", variants)
    if kind is None:
        return None
    variant = variants[kind]
    reader = ObjectReader(value, place, ("type", *variant.fields), shown=shown)
    values = read_fields(reader, variant.fields)
    return variant.make(reader, values) if variant.make else variant.makes(**values)


# --- kinds ------------------------------------------------------------------------------------


def integer(minimum: int, maximum: int = MOST_ROWS) -> Kind:
    """Return the kind of integers within bounds."""
    read = functools.partial(ObjectReader.integer, minimum=minimum, maximum=maximum)
    return Kind(f"integer ≥ {minimum}", read)


def choice(*known: str) -> Kind:
    """Return the kind of a field with a few possible texts."""
    return Kind(
        " or ".join(f"`{each}`" for each in known),
        lambda reader, name: reader.choice(name, known),
    )


def _url(reader: ObjectReader, name: str, *, may_have_query: bool = False) -> str | None:
    url = reader.text(name)
    if url and (text := url_problem(url, may_have_query=may_have_query)):
        reader.error(name, text)
    return url


def _header_name(reader: ObjectReader, name: str) -> str | None:
    text = reader.text(name)
    if text and (problem := header_problem(text, None)):
        reader.error(name, f"'{text}' {problem}")
    return text


def _form(reader: ObjectReader, name: str) -> dict[str, str | tuple[str, ...]]:
    form: dict[str, str | tuple[str, ...]] = {}
    for each, value in reader.object(name).items():
        contents = [scalar(one) for one in (value if isinstance(value, list) else [value])]
        if None in contents:
            reader.error(f"{name}.{each}", "must be a string, or a list of strings.")
            continue
        known = tuple(content for content in contents if content is not None)
        form[each] = known if isinstance(value, list) else known[0]
    return form


TEXT = Kind("text", ObjectReader.text)
TEXTS = Kind("text or list of texts", ObjectReader.texts)
PATH = Kind("dotted path", ObjectReader.dotted)
MEMBER = Kind("path", ObjectReader.path)
SECONDS = Kind("number ≥ 0", functools.partial(ObjectReader.number, minimum=0))
CREDENTIAL = Kind("credential", ObjectReader.credential)
URL = Kind("URL", _url)
URL_WITH_QUERY = Kind("URL, may have a query", functools.partial(_url, may_have_query=True))
HEADER_NAME = Kind("header name", _header_name)
HEADERS = Kind("object", ObjectReader.headers)
OBJECT = Kind("object", ObjectReader.object)
FORM = Kind("object of texts, or lists of them", _form)
