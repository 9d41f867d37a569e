"""The audit log, and who is in which group."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_analytics.records.digests import record_hash
from tap_analytics.streams.schema_types import OpenObject, boolean, field, integer, string
from tap_analytics.streams.wiki.objects import AUTHOR, CHANGED_VALUE, LINKS, NAMED_OBJECT, PICTURE
from tap_analytics.streams.wiki.stream import WikiStream

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken


class Audit(WikiStream):
    """Events of the audit log."""

    name = "wiki_audit"
    version = 1
    path = "/audit"
    # Bulk changes log several events in one millisecond, so the time is not a key.
    primary_keys = ("creationDate", "record_hash")
    replication_key = "creationDate"
    replication_unit = "epoch_ms"
    schema = th.PropertiesList(
        integer("creationDate", "Time of the event, epoch milliseconds.", required=True),
        string(
            "record_hash",
            "SHA-256 of the event as received: tells events of one millisecond apart.",
            required=True,
        ),
        field("author", AUTHOR, "Who caused the event."),
        string("remoteAddress", "Network address of the author."),
        string("summary", "The event in short."),
        string("description", "The event in more words."),
        string("category", "Category of the event."),
        boolean("sysAdmin", "Whether a system admin acted."),
        boolean("superAdmin", "Whether a super admin acted."),
        field("affectedObject", NAMED_OBJECT, "Object the event happened to."),
        field("changedValues", th.ArrayType(CHANGED_VALUE), "What was changed."),
        field("associatedObjects", th.ArrayType(NAMED_OBJECT), "Other objects concerned."),
    ).to_dict()

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        # Both bounds of the API are inclusive; the end of a window is exclusive.
        bounds = {"startDate": start, "endDate": None if end is None else end - 1}
        return {name: str(value) for name, value in bounds.items() if value is not None}

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        return {
            **row,
            "creationDate": self._epoch_ms(row.get("creationDate")),
            "record_hash": record_hash(row),
        }

    def _epoch_ms(self, moment: t.Any) -> int:  # noqa: ANN401 - the server decides the type
        try:
            return int(moment)
        except (TypeError, ValueError) as error:
            msg = (
                f"{self.name}: an event's creationDate is {moment!r} instead of epoch "
                "milliseconds; check that `wiki.v1_path` leads to version 1 of the API."
            )
            raise FatalAPIError(msg) from error


class Group(WikiStream):
    """Groups of users."""

    name = "wiki_group"
    version = 1
    path = "/group"
    schema = th.PropertiesList(
        string("id", "Identifier of the group.", required=True),
        string("type", "Type of the object: group."),
        string("name", "Name of the group, may change."),
        string("usageType", "What the group is used for."),
        string("managedBy", "Who manages the group."),
        string("resourceAri", "Resource name of the group."),
        LINKS,
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"group_id": record["id"]}


class GroupMembers(WikiStream):
    """Members of each group."""

    name = "wiki_group_members"
    version = 1
    path = "/group/{group_id}/membersByGroupId"
    parent_stream_type = Group
    selected_by_default = False
    primary_keys = ("group_id", "accountId")
    references = MappingProxyType({"group_id": "wiki_group.id"})
    schema = th.PropertiesList(
        string("group_id", "Group the account is a member of.", required=True),
        string("accountId", "Account, as all streams name it.", required=True),
        string("type", "Type of the account: known, unknown, anonymous or user."),
        string("accountType", "Kind of the account: atlassian, app or empty."),
        string("accountStatus", "State of the account."),
        string("email", "Email address; empty where the account hides it."),
        string("publicName", "Name shown to the public."),
        string("displayName", "Name shown."),
        string("timeZone", "Time zone of the account."),
        string("locale", "Language of the account."),
        boolean("isGuest", "Whether the account is a guest."),
        boolean("externalCollaborator", "Former mark of a guest."),
        boolean("isExternalCollaborator", "Former mark of a guest."),
        field("profilePicture", PICTURE, "Picture of the account."),
        field("_expandable", OpenObject(), "What the API could tell beside."),
        LINKS,
    ).to_dict()
