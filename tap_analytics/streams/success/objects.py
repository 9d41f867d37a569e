"""Fields that rows of the success platform share, and the objects that lie in them."""

from __future__ import annotations

from singer_sdk import typing as th

from tap_analytics.streams.schema_types import OpenObject, date_time, field, number, string

STRINGS = th.ArrayType(th.StringType(nullable=True))

CREATED = date_time("createdAt", "When it was created.")
UPDATED = date_time("updatedAt", "When it last changed.")
EXTERNAL_ID = string("externalId", "Identifier elsewhere.")
NAME = string("name", "Name.")
TRAITS = field("traits", OpenObject(), "Fields the customer defined.")
LAST_INBOUND = date_time("lastInboundMessageTimestamp", "When the last message came in.")
LAST_OUTBOUND = date_time("lastOutboundMessageTimestamp", "When the last message went out.")

SEGMENT = OpenObject(
    string("id", "Identifier of the segment."),
    string("name", "Name of the segment."),
    nullable=True,
)
SEGMENTS = field("segments", th.ArrayType(SEGMENT), "Segments it falls into.")

ADMIN_FIELDS = (
    NAME,
    string("email", "Email address."),
    string("licenseStatus", "Licence: active, deactivated, ..."),
)
ADMIN = OpenObject(string("id", "Identifier of the admin."), *ADMIN_FIELDS)

KEY_ROLE = OpenObject(
    string("id", "Identifier of the assignment."),
    date_time("assignedAt", "When the role was assigned."),
    CREATED,
    field(
        "keyRole",
        OpenObject(
            string("id", "Identifier of the role."), string("label", "Name of the role."), CREATED
        ),
        "The role.",
    ),
    field("vitallyUser", ADMIN, "Admin who holds the role."),
    nullable=True,
)

#: Fields of an account, also where it is embedded.
ACCOUNT_FIELDS = (
    CREATED,
    UPDATED,
    EXTERNAL_ID,
    NAME,
    TRAITS,
    string("organizationId", "Organization it belongs to."),
    string("accountOwnerId", "Admin who owns the account."),
    string("csmId", "Admin who is its success manager."),
    string("accountExecutiveId", "Admin who is its executive."),
    number("mrr", "Monthly recurring revenue."),
    number("healthScore", "Health, from 0 to 10."),
    number("npsScore", "Net promoter score, from -100 to 100."),
    number("npsDetractorCount", "Number of detractors."),
    number("npsPassiveCount", "Number of passives."),
    number("npsPromoterCount", "Number of promoters."),
    number("usersCount", "Number of users."),
    date_time("nextRenewalDate", "When it is renewed next."),
    date_time("trialEndDate", "When its trial ends."),
    date_time("churnedAt", "When it churned."),
    date_time("firstSeenTimestamp", "When it was seen first."),
    date_time("lastSeenTimestamp", "When it was seen last."),
    LAST_INBOUND,
    LAST_OUTBOUND,
)
#: An embedded account: without key roles, and with segments only in users.
ACCOUNT = OpenObject(
    string("id", "Identifier of the account."), *ACCOUNT_FIELDS, SEGMENTS, nullable=True
)

OPTION = OpenObject(
    string("label", "What people read."), string("value", "What is stored."), nullable=True
)
OPTIONS = field("options", th.ArrayType(OPTION), "Values to choose from.")
PARTICIPANT = OpenObject(
    string("type", "Who it is: admin or user."),
    string("id", "Identifier of the admin or user."),
    nullable=True,
)

ORGANIZATION = OpenObject(
    string("id", "Identifier of the organization."),
    CREATED,
    UPDATED,
    EXTERNAL_ID,
    NAME,
    TRAITS,
    nullable=True,
)

#: Common fields of notes and tasks.
ACTIVITY_FIELDS = (
    CREATED,
    UPDATED,
    EXTERNAL_ID,
    string("organizationId", "Organization it is about."),
    field("organization", ORGANIZATION, "The organization itself."),
    string("accountId", "Account it is about."),
    field("account", ACCOUNT, "The account itself."),
    string("categoryId", "Category it belongs to."),
    field(
        "category",
        OpenObject(string("id", "Identifier of the category."), NAME, CREATED, UPDATED),
        "The category itself.",
    ),
    field("tags", STRINGS, "Tags."),
    date_time("archivedAt", "When it was deleted."),
    string("source", "Integration it came from."),
    TRAITS,
)

PROJECT = OpenObject(
    string("id", "Identifier of the project."),
    NAME,
    string("accountId", "Account the project is for."),
    CREATED,
    UPDATED,
    date_time("archivedAt", "When it was deleted."),
    date_time("actualStartDate", "When it started."),
    date_time("targetCompletionDate", "When it shall be done."),
    number("durationInDays", "Days it takes."),
    string("ownedByVitallyUserId", "Admin who owns it."),
    string("projectCategoryId", "Category of the project."),
    string("projectStatusId", "State of the project."),
    TRAITS,
    nullable=True,
)
