"""Custom objects and their instances, and the custom fields of all objects."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.errors import TapError
from tap_analytics.streams.schema_types import OpenObject, boolean, date_time, field, string
from tap_analytics.streams.success.objects import (
    ACCOUNT,
    CREATED,
    EXTERNAL_ID,
    NAME,
    OPTIONS,
    ORGANIZATION,
    TRAITS,
    UPDATED,
)
from tap_analytics.streams.success.stream import ArchivedChildStream, ChangingStream
from tap_analytics.streams.success.traits import TraitStream

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.client import AnalyticsStream

CUSTOM_FIELD = OpenObject(
    string("id", "Identifier of the field."),
    CREATED,
    string("label", "Name people read."),
    string("path", "Name in `traits`."),
    string("type", "Type of its values, such as string or datetime."),
    OPTIONS,
    nullable=True,
)

#: What the names of the streams of one object begin with, and the word for all objects.
PREFIX = "success_object_"
EVERY = "*"
#: The schema of instances, whatever the object.
INSTANCE = th.PropertiesList(
    string("custom_object_id", "Custom object it is an instance of.", required=True),
    string("id", "Identifier of the instance.", required=True),
    CREATED,
    UPDATED,
    EXTERNAL_ID,
    NAME,
    string("customObjectId", "Custom object, as the service names it."),
    string("customerId", "Account it belongs to."),
    field("customer", ACCOUNT, "The account itself."),
    field("customers", th.ArrayType(ACCOUNT), "All accounts it belongs to."),
    string("organizationId", "Organization it belongs to."),
    field("organization", ORGANIZATION, "The organization itself."),
    string("createdByVitallyUserId", "Admin who created it."),
    string("ownedByVitallyUserId", "Admin who owns it."),
    date_time("archivedAt", "When it was deleted."),
    TRAITS,
).to_dict()


class CustomObjects(ChangingStream):
    """Definitions of custom objects."""

    name = "success_custom_objects"
    path = "/customObjects"
    selected_by_default = False
    schema = th.PropertiesList(
        string("id", "Identifier of the custom object.", required=True),
        CREATED,
        UPDATED,
        string("name", "Machine name."),
        string("label", "Name people read."),
        boolean("syncActive", "Whether it is synchronized."),
        string("writeMode", "Whether people may add instances."),
        field("customFields", th.ArrayType(CUSTOM_FIELD), "Fields of its instances."),
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"custom_object_id": record["id"]}


class CustomObjectInstances(ArchivedChildStream):
    """Instances of all custom objects."""

    name = "success_custom_object_instances"
    path = "/customObjects/{custom_object_id}/instances"
    parent_stream_type = CustomObjects
    primary_keys = ("custom_object_id", "id")
    selected_by_default = False
    references = MappingProxyType(
        {
            "custom_object_id": "success_custom_objects.id",
            "customerId": "success_accounts.id",
            "organizationId": "success_organizations.id",
            "createdByVitallyUserId": "success_admins.id",
            "ownedByVitallyUserId": "success_admins.id",
        }
    )
    schema = INSTANCE


class CustomObjectStream(TraitStream, ArchivedChildStream):
    """Base of the streams with the instances of one custom object."""

    path = CustomObjectInstances.path
    parent_stream_type = CustomObjects
    references = CustomObjectInstances.references
    schema = INSTANCE
    #: Machine name of the object.
    object_name: t.ClassVar[str]
    #: Definition of the object, if discovery has found it.
    definition: t.ClassVar[Record | None] = None

    @override
    def complete_schema(self) -> None:
        found = self.definition or self._find()
        if self._has_columns:
            self.add_columns(found.get("customFields") or ())

    def _find(self) -> Record:
        objects = _objects(t.cast("Tap", self._tap))
        if self.object_name not in objects:
            raise TapError(
                f"{self.name}: no custom object is named `{self.object_name}`. Name those of "
                f"`success.custom_objects` as the service does: {', '.join(objects)}."
            )
        return objects[self.object_name]

    @override
    def contexts_below(
        self, parent: AnalyticsStream, record: Record, context: Context | None
    ) -> Iterable[Context]:
        """Yield the context of the one object."""
        if record.get("name") == self.object_name:
            yield from super().contexts_below(parent, record, context)


def custom_object_streams(
    block: Mapping[str, t.Any], catalog: Collection[str]
) -> tuple[type[CustomObjectStream], ...]:
    """Return a stream for each custom object that the settings name, or the catalog for `*`."""
    names: list[str] = list(block.get("custom_objects") or ())
    if EVERY in names:
        names += [name.removeprefix(PREFIX) for name in catalog if name.startswith(PREFIX)]
    return tuple(_stream_class(name) for name in dict.fromkeys(names) if name != EVERY)


def discover_custom_objects(tap: Tap) -> tuple[type[CustomObjectStream], ...]:
    """Return a stream for each custom object there is, where the settings say `*`."""
    names = tap.config["success"].get("custom_objects") or ()
    if EVERY not in names:
        return ()
    return tuple(
        _stream_class(name, definition)
        for name, definition in _objects(tap).items()
        if name not in names
    )


def _objects(tap: Tap) -> dict[str, Record]:
    """Return the definitions of all custom objects by their machine names."""
    return {str(each.get("name")): each for each in CustomObjects(tap).request_records(None)}


def _stream_class(name: str, definition: Record | None = None) -> type[CustomObjectStream]:
    body = {
        "__doc__": f"Instances of the custom object {name}.",
        "name": f"{PREFIX}{name}",
        "object_name": name,
        "definition": definition,
    }
    return type(f"CustomObject{name}", (CustomObjectStream,), body)
