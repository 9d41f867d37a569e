"""Customer success platform: accounts, their users, and the work done for them.

Basic auth, a cursor (`from` ← `next`), rows under `results`. Notes, tasks and users carry the
whole account they belong to; `traits` are whatever the customer defines, so they stay one open
object.
"""

from __future__ import annotations

from types import MappingProxyType

from singer_sdk import typing as th

from tap_analytics.client import AnalyticsStream
from tap_analytics.config.settings import Setting
from tap_analytics.pagination import Cursor
from tap_analytics.streams.api import Api
from tap_analytics.streams.schema_types import OpenObject
from tap_analytics.transport.auth import Basic

STRINGS = th.ArrayType(th.StringType(nullable=True))

CREATED = th.Property("createdAt", th.DateTimeType, description="When it was created.")
UPDATED = th.Property("updatedAt", th.DateTimeType, description="When it last changed.")
EXTERNAL_ID = th.Property("externalId", th.StringType, description="Identifier elsewhere.")
NAME = th.Property("name", th.StringType, description="Name.")
TRAITS = th.Property("traits", OpenObject(), description="Fields the customer defined.")
LAST_INBOUND = th.Property(
    "lastInboundMessageTimestamp",
    th.DateTimeType,
    description="When the last message came in.",
)
LAST_OUTBOUND = th.Property(
    "lastOutboundMessageTimestamp",
    th.DateTimeType,
    description="When the last message went out.",
)

SEGMENT = OpenObject(
    th.Property("id", th.StringType, description="Identifier of the segment."),
    th.Property("name", th.StringType, description="Name of the segment."),
    nullable=True,
)
SEGMENTS = th.Property("segments", th.ArrayType(SEGMENT), description="Segments it falls into.")

ADMIN_FIELDS = (
    NAME,
    th.Property("email", th.StringType, description="Email address."),
    th.Property("licenseStatus", th.StringType, description="Licence: active, deactivated, ..."),
)
ADMIN = OpenObject(
    th.Property("id", th.StringType, description="Identifier of the admin."),
    *ADMIN_FIELDS,
)

KEY_ROLE = OpenObject(
    th.Property("id", th.StringType, description="Identifier of the assignment."),
    th.Property("assignedAt", th.DateTimeType, description="When the role was assigned."),
    CREATED,
    th.Property(
        "keyRole",
        OpenObject(
            th.Property("id", th.StringType, description="Identifier of the role."),
            th.Property("label", th.StringType, description="Name of the role."),
            CREATED,
        ),
        description="The role.",
    ),
    th.Property("vitallyUser", ADMIN, description="Admin who holds the role."),
    nullable=True,
)

#: What an account is made of, on its own and embedded in other objects.
ACCOUNT_FIELDS = (
    CREATED,
    UPDATED,
    EXTERNAL_ID,
    NAME,
    TRAITS,
    th.Property("organizationId", th.StringType, description="Organization it belongs to."),
    th.Property("accountOwnerId", th.StringType, description="Admin who owns the account."),
    th.Property("csmId", th.StringType, description="Admin who is its success manager."),
    th.Property("accountExecutiveId", th.StringType, description="Admin who is its executive."),
    th.Property("mrr", th.NumberType, description="Monthly recurring revenue."),
    th.Property("healthScore", th.NumberType, description="Health, from 0 to 10."),
    th.Property("npsScore", th.NumberType, description="Net promoter score, from -100 to 100."),
    th.Property("npsDetractorCount", th.NumberType, description="Number of detractors."),
    th.Property("npsPassiveCount", th.NumberType, description="Number of passives."),
    th.Property("npsPromoterCount", th.NumberType, description="Number of promoters."),
    th.Property("usersCount", th.NumberType, description="Number of users."),
    th.Property("nextRenewalDate", th.DateTimeType, description="When it is renewed next."),
    th.Property("trialEndDate", th.DateTimeType, description="When its trial ends."),
    th.Property("churnedAt", th.DateTimeType, description="When it churned."),
    th.Property("firstSeenTimestamp", th.DateTimeType, description="When it was seen first."),
    th.Property("lastSeenTimestamp", th.DateTimeType, description="When it was seen last."),
    LAST_INBOUND,
    LAST_OUTBOUND,
)
#: An account where it is embedded: without its key roles, and only in users with its segments.
ACCOUNT = OpenObject(
    th.Property("id", th.StringType, description="Identifier of the account."),
    *ACCOUNT_FIELDS,
    SEGMENTS,
    nullable=True,
)

ORGANIZATION = OpenObject(
    th.Property("id", th.StringType, description="Identifier of the organization."),
    CREATED,
    UPDATED,
    EXTERNAL_ID,
    NAME,
    TRAITS,
    nullable=True,
)

#: What notes and tasks have in common.
ACTIVITY_FIELDS = (
    CREATED,
    UPDATED,
    EXTERNAL_ID,
    th.Property("organizationId", th.StringType, description="Organization it is about."),
    th.Property("organization", ORGANIZATION, description="The organization itself."),
    th.Property("accountId", th.StringType, description="Account it is about."),
    th.Property("account", ACCOUNT, description="The account itself."),
    th.Property("categoryId", th.StringType, description="Category it belongs to."),
    th.Property(
        "category",
        OpenObject(
            th.Property("id", th.StringType, description="Identifier of the category."),
            NAME,
            CREATED,
            UPDATED,
        ),
        description="The category itself.",
    ),
    th.Property("tags", STRINGS, description="Tags."),
    th.Property("archivedAt", th.DateTimeType, description="When it was deleted."),
    th.Property("source", th.StringType, description="Integration it came from."),
    TRAITS,
)

PROJECT = OpenObject(
    th.Property("id", th.StringType, description="Identifier of the project."),
    NAME,
    th.Property("accountId", th.StringType, description="Account the project is for."),
    CREATED,
    UPDATED,
    th.Property("archivedAt", th.DateTimeType, description="When it was deleted."),
    th.Property("actualStartDate", th.DateTimeType, description="When it started."),
    th.Property("targetCompletionDate", th.DateTimeType, description="When it shall be done."),
    th.Property("durationInDays", th.NumberType, description="Days it takes."),
    th.Property("ownedByVitallyUserId", th.StringType, description="Admin who owns it."),
    th.Property("projectCategoryId", th.StringType, description="Category of the project."),
    th.Property("projectStatusId", th.StringType, description="State of the project."),
    TRAITS,
    nullable=True,
)


class SuccessStream(AnalyticsStream):
    """Base of the customer success platform's streams."""

    api = "success"
    records_path = ("results",)
    paging = Cursor(cursor_path="next", cursor_param="from", at_end_path="atEnd")
    primary_keys: tuple[str, ...] = ("id",)


class ChangingStream(SuccessStream):
    """Base of what carries the time of its last change; the server can only sort by it."""

    replication_key = "updatedAt"
    replication_unit = "iso"
    # In its default order a row that is updated meanwhile jumps to the front, past the reader.
    stable_order = MappingProxyType({"sortBy": "createdAt"})
    newest_first = MappingProxyType({"sortBy": "updatedAt"})


class Accounts(ChangingStream):
    """Customer accounts, churned ones included."""

    name = "success_accounts"
    path = "/accounts"
    setting_params = MappingProxyType({"status": "account_status"})
    references = MappingProxyType(
        {
            "accountOwnerId": "success_admins.id",
            "csmId": "success_admins.id",
            "accountExecutiveId": "success_admins.id",
        }
    )
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the account."),
        *ACCOUNT_FIELDS,
        th.Property("keyRoles", th.ArrayType(KEY_ROLE), description="Who holds which role for it."),
        SEGMENTS,
    ).to_dict()


class Conversations(ChangingStream):
    """Conversations with customers, without their messages."""

    name = "success_conversations"
    path = "/conversations"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the thread."),
        CREATED,
        UPDATED,
        EXTERNAL_ID,
        th.Property("externalUrl", th.StringType, description="Address elsewhere."),
        th.Property("subject", th.StringType, description="Subject."),
        th.Property("status", th.StringType, description="State: open, closed and others."),
        th.Property("rating", th.StringType, description="How the customer rated it."),
        th.Property("source", th.StringType, description="Integration it came from."),
        TRAITS,
    ).to_dict()


class Notes(ChangingStream):
    """Notes about accounts and organizations."""

    name = "success_notes"
    path = "/notes"
    references = MappingProxyType(
        {
            "accountId": "success_accounts.id",
            "authorId": "success_admins.id",
        }
    )
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the note."),
        th.Property("subject", th.StringType, description="Subject."),
        th.Property("note", th.StringType, description="Text, as HTML."),
        th.Property("noteDate", th.DateTimeType, description="When what it notes took place."),
        th.Property("meetingDescription", th.StringType, description="Description of the meeting."),
        th.Property("authorId", th.StringType, description="Admin who wrote it."),
        th.Property("author", ADMIN, description="The author."),
        th.Property(
            "users",
            th.ArrayType(OpenObject(nullable=True)),
            description="Users it is about.",
        ),
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
        th.Property("id", th.StringType, required=True, description="Identifier of the task."),
        th.Property("name", th.StringType, description="What is to be done."),
        th.Property("description", th.StringType, description="Description, as HTML."),
        th.Property("dueDate", th.DateType, description="Day it is due."),
        th.Property("completedAt", th.DateTimeType, description="When it was done."),
        th.Property("completedById", th.StringType, description="Admin who did it."),
        th.Property("completedBy", ADMIN, description="The admin who did it."),
        th.Property("assignedToId", th.StringType, description="Admin who is to do it."),
        th.Property("assignedTo", ADMIN, description="The admin who is to do it."),
        th.Property("createdById", th.StringType, description="Admin who created it."),
        th.Property("meetingId", th.StringType, description="Meeting it came out of."),
        th.Property("projects", th.ArrayType(PROJECT), description="Projects it is part of."),
        *ACTIVITY_FIELDS,
    ).to_dict()


class Users(ChangingStream):
    """Users at the customers, with the accounts they belong to."""

    name = "success_users"
    path = "/users"
    references = MappingProxyType({"accounts.id": "success_accounts.id"})
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the user."),
        CREATED,
        UPDATED,
        EXTERNAL_ID,
        NAME,
        th.Property("email", th.StringType, description="Email address."),
        th.Property("avatar", th.StringType, description="Address of the picture."),
        TRAITS,
        th.Property("firstKnown", th.DateTimeType, description="When the user became known."),
        th.Property("joinDate", th.DateTimeType, description="When the user joined."),
        th.Property("lastSeenTimestamp", th.DateTimeType, description="When seen last."),
        LAST_INBOUND,
        LAST_OUTBOUND,
        th.Property("npsLastScore", th.NumberType, description="Last answer, from 0 to 10."),
        th.Property("npsLastFeedback", th.StringType, description="Words with that answer."),
        th.Property("npsLastRespondedAt", th.DateTimeType, description="When it was given."),
        th.Property(
            "unsubscribedFromConversations",
            th.BooleanType,
            description="Whether messages were declined.",
        ),
        th.Property(
            "unsubscribedFromConversationsAt",
            th.DateTimeType,
            description="When messages were declined.",
        ),
        th.Property("deactivatedAt", th.DateTimeType, description="When deactivated."),
        th.Property("permanentlyBounced", th.BooleanType, description="Whether mail bounces."),
        SEGMENTS,
        th.Property("accountIds", STRINGS, description="Accounts the user belongs to."),
        th.Property("accounts", th.ArrayType(ACCOUNT), description="The accounts themselves."),
        th.Property("organizationIds", STRINGS, description="Organizations of the user."),
        th.Property(
            "organizations",
            th.ArrayType(ORGANIZATION),
            description="The organizations themselves.",
        ),
    ).to_dict()


class Admins(SuccessStream):
    """Colleagues who work with the platform."""

    name = "success_admins"
    path = "/admins"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the admin."),
        *ADMIN_FIELDS,
    ).to_dict()


SUCCESS = Api(
    name="success",
    title="Customer success platform",
    settings=(
        Setting(
            name="secret_token",
            kind="string",
            secret=True,
            required=True,
            description="Secret token, the user name of the requests.",
        ),
        Setting(
            name="basic_auth_header",
            kind="string",
            default="",
            secret=True,
            description="Password of the requests; empty for the real service.",
        ),
        Setting(
            name="base_url",
            kind="string",
            description="Address of the API's resources.",
            example="https://example.rest.vitally.io/resources",
        ),
        Setting(
            name="account_status",
            kind="string",
            default="activeOrChurned",
            nullable=True,
            description="Sent as `status` for accounts: `active`, `churned` or `activeOrChurned`; "
            "null sends none.",
        ),
        Setting(
            name="sort_by",
            kind="string",
            nullable=True,
            description="Sent as `sortBy`, `createdAt` or `updatedAt`, instead of the one that "
            "fits the replication; null sends none.",
        ),
    ),
    authenticate=lambda block: Basic(block["secret_token"], block.get("basic_auth_header") or ""),
    page_size=100,
    requests_per_second=16,
    streams=(Accounts, Conversations, Notes, Tasks, Users, Admins),
)
