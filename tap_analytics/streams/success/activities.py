"""What is done for customers: conversations, notes and tasks, and the admins who do it."""

from __future__ import annotations

from types import MappingProxyType

from singer_sdk import typing as th

from tap_analytics.streams.schema_types import OpenObject, date_time, field, string
from tap_analytics.streams.success.objects import (
    ACTIVITY_FIELDS,
    ADMIN,
    ADMIN_FIELDS,
    CREATED,
    EXTERNAL_ID,
    PROJECT,
    TRAITS,
    UPDATED,
)
from tap_analytics.streams.success.stream import ChangingStream, SuccessStream


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


class Notes(ChangingStream):
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


class Tasks(ChangingStream):
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
