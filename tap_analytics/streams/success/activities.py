"""What admins do for customers: conversations, notes and tasks."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.pagination import SinglePage
from tap_analytics.streams.dependent import DependentStream
from tap_analytics.streams.schema_types import OpenObject, date_time, field, string
from tap_analytics.streams.success.objects import (
    ACTIVITY_FIELDS,
    ADMIN,
    ADMIN_FIELDS,
    CREATED,
    EXTERNAL_ID,
    PARTICIPANT,
    PROJECT,
    TRAITS,
    UPDATED,
)
from tap_analytics.streams.success.stream import ArchivedStream, ChangingStream, SuccessStream

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record


class Conversations(ChangingStream):
    """Conversations with customers, without their messages."""

    name = "success_conversations"
    path = "/conversations"
    schema = th.PropertiesList(
        string("id", "Identifier of the thread.", required=True),
        CREATED,
        UPDATED,
        EXTERNAL_ID,
        string("externalUrl", "Address elsewhere."),
        string("subject", "Subject."),
        string("status", "State: open, closed and others."),
        string("rating", "How the customer rated it."),
        string("source", "Integration it came from."),
        TRAITS,
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        found = {"conversationId": record["id"], "conversationUpdatedAt": record.get("updatedAt")}
        return {name: value for name, value in found.items() if value is not None}


class Messages(DependentStream, SuccessStream):
    """Messages of conversations."""

    name = "success_messages"
    path = "/conversations/{conversationId}"
    records_path = ("messages",)
    paging = SinglePage(limit_param=None, total_path=None)
    parent_stream_type = Conversations
    selected_by_default = False
    # A message has no time of change: that of its conversation says which are to be read again.
    replication_key = "conversationUpdatedAt"
    replication_unit = "iso"
    parent_time = "updatedAt"
    references = MappingProxyType({"conversationId": "success_conversations.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the message.", required=True),
        string("conversationId", "Conversation it is part of."),
        date_time("conversationUpdatedAt", "When the conversation last changed."),
        EXTERNAL_ID,
        string("externalUrl", "Address elsewhere."),
        string("type", "Direction: inbound or outbound."),
        date_time("timestamp", "When it was sent."),
        string("message", "Text, as HTML."),
        field("from", PARTICIPANT, "Who sent it."),
        field("to", th.ArrayType(PARTICIPANT), "Who received it."),
        field("cc", th.ArrayType(PARTICIPANT), "Who received a copy."),
        field("bcc", th.ArrayType(PARTICIPANT), "Who received a blind copy."),
    ).to_dict()

    @property
    @override
    def page_size(self) -> int | None:
        return None


class Notes(ArchivedStream):
    """Notes about accounts and organizations."""

    name = "success_notes"
    path = "/notes"
    references = MappingProxyType(
        {"accountId": "success_accounts.id", "authorId": "success_admins.id"}
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the note.", required=True),
        string("subject", "Subject."),
        string("note", "Text, as HTML."),
        date_time("noteDate", "When what it notes took place."),
        string("meetingDescription", "Description of the meeting."),
        string("authorId", "Admin who wrote it."),
        field("author", ADMIN, "The author."),
        field("users", th.ArrayType(OpenObject(nullable=True)), "Users it is about."),
        *ACTIVITY_FIELDS,
    ).to_dict()


class Tasks(ArchivedStream):
    """Tasks for accounts and organizations."""

    name = "success_tasks"
    path = "/tasks"
    references = MappingProxyType(
        {
            "accountId": "success_accounts.id",
            "assignedToId": "success_admins.id",
            "completedById": "success_admins.id",
            "createdById": "success_admins.id",
        }
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the task.", required=True),
        string("name", "What is to be done."),
        string("description", "Description, as HTML."),
        field("dueDate", th.DateType, "Day it is due."),
        date_time("completedAt", "When it was done."),
        string("completedById", "Admin who did it."),
        field("completedBy", ADMIN, "The admin who did it."),
        string("assignedToId", "Admin who is to do it."),
        field("assignedTo", ADMIN, "The admin who is to do it."),
        string("createdById", "Admin who created it."),
        string("meetingId", "Meeting it came out of."),
        field("projects", th.ArrayType(PROJECT), "Projects it is part of."),
        *ACTIVITY_FIELDS,
    ).to_dict()


class Admins(SuccessStream):
    """Users of the platform itself."""

    name = "success_admins"
    path = "/admins"
    schema = th.PropertiesList(
        string("id", "Identifier of the admin.", required=True), *ADMIN_FIELDS
    ).to_dict()
