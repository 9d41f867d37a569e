"""People who learn."""

from __future__ import annotations

from singer_sdk import typing as th

from tap_analytics.streams.learning.objects import TO_MANY, TO_ONE, links
from tap_analytics.streams.learning.stream import ChangingStream
from tap_analytics.streams.schema_types import OpenObject, boolean, date_time, field, string


class People(ChangingStream):
    """People who may take courses."""

    name = "learning_people"
    path = "/people"
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
