"""The parts of a JSON:API resource object: links and relationships."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th

from tap_analytics.streams.schema_types import Field, OpenObject, field, string

STRINGS = th.ArrayType(th.StringType(nullable=True))

LINK = OpenObject(
    string("href", "Address of the link."),
    field("methods", STRINGS, "HTTP methods the link answers to, where people carry them."),
    field(
        "meta",
        OpenObject(field("methods", STRINGS, "HTTP methods the link answers to.")),
        "About the link, where courses carry its methods.",
    ),
)

REFERENCE = OpenObject(
    string("type", "Kind of the related object."),
    string("id", "Identifier of the related object."),
    nullable=True,
)
TO_ONE = OpenObject(field("data", REFERENCE, "The related object."))
TO_MANY = OpenObject(field("data", th.ArrayType(REFERENCE), "The related objects."))


def links(*names: str) -> OpenObject:
    """Return the type of links with these names."""
    return OpenObject(*(field(name, LINK, f"The link '{name}'.") for name in names))


def envelope(**related: str) -> t.Iterator[Field]:
    """Yield the fields around `attributes`; `related` describes to-one relationships."""
    yield field("links", links("self"), "Links of the object.")
    yield relationships(**related)


def relationships(**related: str) -> Field:
    """Return the field of the relationships; `related` describes those to one object."""
    parts = (field(name, TO_ONE, description) for name, description in related.items())
    return field("relationships", OpenObject(*parts), "Objects related to it.")
