"""People who learn: their groups, and what they have completed."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.streams.learning.objects import TO_MANY, TO_ONE, envelope, links
from tap_analytics.streams.learning.stream import ChangingStream, ChildStream
from tap_analytics.streams.schema_types import (
    OpenObject,
    boolean,
    date_time,
    field,
    number,
    string,
)

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record


class People(ChangingStream):
    """People who may take courses."""

    name = "learning_people"
    path = "/people"
    references = MappingProxyType({"relationships.groups.data.id": "learning_groups.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the person.", required=True),
        string("type", "Kind of the object: people."),
        string("name", "Name shown, the email if none is known."),
        string("email", "Email address."),
        string("first_name", "First name."),
        string("last_name", "Last name."),
        string("full_name", "First and last name."),
        string("registration_status", "How far sign-up has come."),
        boolean("disabled", "Whether access was taken away."),
        boolean("unsubscribed", "Whether emails were declined."),
        date_time("activated_at", "When sign-up was completed."),
        date_time("deactivated_at", "When access was taken away."),
        date_time("last_active_at", "When the person was last seen."),
        date_time("created_at", "When the person was added."),
        date_time("updated_at", "When the person last changed."),
        string("custom_avatar_url", "Address of the own picture."),
        string(
            "invite_token", "Lets its bearer sign up as this person: deselect it if not needed."
        ),
        field("links", links("self", "teaching"), "Links of the person."),
        field(
            "relationships",
            OpenObject(
                field("groups", TO_MANY, "Groups the person belongs to."),
                field("school", TO_ONE, "School the person belongs to."),
                field("partnerships", TO_MANY, "Partnerships of the person."),
            ),
            "Objects related to the person.",
        ),
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"person_id": record["id"]}


class Groups(ChangingStream):
    """Groups of people."""

    name = "learning_groups"
    path = "/groups"
    selected_by_default = False
    schema = th.PropertiesList(
        string("id", "Identifier of the group.", required=True),
        string("type", "Kind of the object: groups."),
        string("name", "Name of the group."),
        string("description", "Description of the group."),
        number("memberships_count", "Number of members."),
        number("membership_count", "Number of members, under its former name."),
        number("user_count", "Number of members, as some accounts name it."),
        string("group_enrollment_link", "Address where people join."),
        date_time("created_at", "When the group was created."),
        date_time("updated_at", "When the group last changed."),
        *envelope(),
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"group_id": record["id"]}


class GroupMemberships(ChildStream):
    """Memberships of people in groups."""

    name = "learning_group_memberships"
    path = "/groups/{group_id}/memberships"
    parent_stream_type = Groups
    primary_keys = ("group_id", "id")
    related = ("person",)
    references = MappingProxyType(
        {"group_id": "learning_groups.id", "person_id": "learning_people.id"}
    )
    schema = th.PropertiesList(
        string("group_id", "Group the person belongs to.", required=True),
        string("id", "Identifier of the membership.", required=True),
        string("type", "Kind of the object: memberships."),
        string("person_id", "Person who belongs to the group."),
        *envelope(person="Person who belongs to the group."),
    ).to_dict()


class Transcripts(ChildStream):
    """Transcripts: what each person enrolled in and completed."""

    name = "learning_transcripts"
    path = "/transcripts/{person_id}"
    parent_stream_type = People
    primary_keys = ("person_id", "id")
    references = MappingProxyType({"person_id": "learning_people.id"})
    schema = th.PropertiesList(
        string("person_id", "Person the line is about.", required=True),
        string("id", "Identifier of the line.", required=True),
        string("type", "Kind of the object: transcripts."),
        string("resource_type", "What it is about: course and others."),
        string("resource_id", "Identifier of that course, or other object."),
        string("progress_status", "State: enrolled, in_progress or completed."),
        date_time("enrolled_at", "When the person enrolled."),
        date_time("started_at", "When the person began."),
        date_time("completed_at", "When it was completed."),
        date_time("expires_at", "When the completion expires."),
        number("score", "Result."),
        *envelope(),
    ).to_dict()
