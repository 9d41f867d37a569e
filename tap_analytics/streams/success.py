"""Customer success platform: accounts, their users, and the work done for them.

Basic auth, a cursor (`from` ← `next`), rows under `results`. Notes, tasks and users carry the
whole account they belong to; `traits` are defined by the customer, so they are one open object.
"""

from __future__ import annotations

from types import MappingProxyType

from singer_sdk import typing as th

from tap_analytics.client import AnalyticsStream
from tap_analytics.config.settings import Setting
from tap_analytics.pagination import Cursor
from tap_analytics.streams.api import Api
from tap_analytics.streams.schema_types import OpenObject, boolean, date_time, field, number, string
from tap_analytics.transport.auth import Basic

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


class SuccessStream(AnalyticsStream):
    """Base of the customer success platform's streams."""

    api = "success"
    records_path = ("results",)
    paging = Cursor(cursor_path="next", cursor_param="from", at_end_path="atEnd")
    primary_keys: tuple[str, ...] = ("id",)


class ChangingStream(SuccessStream):
    """Base of streams with a modification time; the server can sort by it, but not filter."""

    replication_key = "updatedAt"
    replication_unit = "iso"
    # In the default order, a row updated during the run moves to the front and would be missed.
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
        string("id", "Identifier of the account.", required=True),
        *ACCOUNT_FIELDS,
        field("keyRoles", th.ArrayType(KEY_ROLE), "Who holds which role for it."),
        SEGMENTS,
    ).to_dict()


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


class Users(ChangingStream):
    """Users at the customers, with the accounts they belong to."""

    name = "success_users"
    path = "/users"
    references = MappingProxyType({"accounts.id": "success_accounts.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the user.", required=True),
        CREATED,
        UPDATED,
        EXTERNAL_ID,
        NAME,
        string("email", "Email address."),
        string("avatar", "Address of the picture."),
        TRAITS,
        date_time("firstKnown", "When the user became known."),
        date_time("joinDate", "When the user joined."),
        date_time("lastSeenTimestamp", "When seen last."),
        LAST_INBOUND,
        LAST_OUTBOUND,
        number("npsLastScore", "Last answer, from 0 to 10."),
        string("npsLastFeedback", "Words with that answer."),
        date_time("npsLastRespondedAt", "When it was given."),
        boolean("unsubscribedFromConversations", "Whether messages were declined."),
        date_time("unsubscribedFromConversationsAt", "When messages were declined."),
        date_time("deactivatedAt", "When deactivated."),
        boolean("permanentlyBounced", "Whether mail bounces."),
        SEGMENTS,
        field("accountIds", STRINGS, "Accounts the user belongs to."),
        field("accounts", th.ArrayType(ACCOUNT), "The accounts themselves."),
        field("organizationIds", STRINGS, "Organizations of the user."),
        field("organizations", th.ArrayType(ORGANIZATION), "The organizations themselves."),
    ).to_dict()


class Admins(SuccessStream):
    """Users of the platform itself."""

    name = "success_admins"
    path = "/admins"
    schema = th.PropertiesList(
        string("id", "Identifier of the admin.", required=True), *ADMIN_FIELDS
    ).to_dict()


SUCCESS = Api(
    name="success",
    title="Customer success platform",
    settings=(
        Setting(
            "secret_token",
            "Secret token, the user name of the requests.",
            secret=True,
            required=True,
        ),
        Setting(
            "basic_auth_header",
            "Password of the requests; empty for the real service.",
            default="",
            secret=True,
        ),
        Setting(
            "base_url",
            "Address of the API's resources.",
            example="https://example.rest.vitally.io/resources",
        ),
        Setting(
            "account_status",
            "Sent as `status` for accounts: `active`, `churned` or `activeOrChurned`; "
            "null sends none.",
            default="activeOrChurned",
            nullable=True,
        ),
        Setting(
            "sort_by",
            "Sent as `sortBy`, `createdAt` or `updatedAt`, instead of the one that "
            "fits the replication; null sends none.",
            nullable=True,
        ),
    ),
    authenticate=lambda block: Basic(block["secret_token"], block.get("basic_auth_header") or ""),
    page_size=100,
    requests_per_second=16,
    streams=(Accounts, Conversations, Notes, Tasks, Users, Admins),
)
