"""Customer success platform: accounts, their users, and the work done for them.

Basic auth, a cursor (`from` ← `next`), rows under `results`. Notes, tasks and users carry the
whole account they belong to; `traits` are defined by the customer, so they are one open object.
"""

from __future__ import annotations

from singer_sdk import typing as th

from tap_analytics.config.settings import Setting
from tap_analytics.streams.api import Api
from tap_analytics.streams.success.activities import (
    Admins,
    Conversations,
    Messages,
    Notes,
    Tasks,
)
from tap_analytics.streams.success.custom_objects import (
    CustomObjectInstances,
    CustomObjects,
    custom_object_streams,
    discover_custom_objects,
)
from tap_analytics.streams.success.customers import (
    Accounts,
    NpsResponses,
    Organizations,
    Users,
)
from tap_analytics.streams.success.projects import (
    Meetings,
    NoteCategories,
    ProjectCategories,
    Projects,
    ProjectTemplates,
    TaskCategories,
)
from tap_analytics.streams.success.traits import CustomFields
from tap_analytics.transport.auth import Basic

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
            "traits",
            "`columns` reads the custom fields of accounts, users and organizations at discovery, "
            "and adds a column for each, `traits__` and its name; `traits` stays an object.",
            th.StringType(allowed_values=["object", "columns"]),
            default="object",
        ),
        Setting(
            "custom_objects",
            "Machine names of custom objects whose instances are streams of their own, "
            "`success_object_` and the name; `*` stands for all that discovery finds.",
            th.ArrayType(th.StringType),
        ),
        Setting(
            "archived",
            "Whether deleted notes, tasks, projects, meetings and instances of custom objects are "
            "read too: each list with `archived=false`, and once more with `archived=true`.",
            th.BooleanType,
            default=False,
        ),
        Setting(
            "nps_target",
            "Sent as `target` for NPS responses: `accounts` or `organization`; null sends none.",
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
    named_streams=custom_object_streams,
    discover=discover_custom_objects,
    streams=(
        Accounts,
        Conversations,
        Notes,
        Tasks,
        Users,
        Admins,
        Organizations,
        NpsResponses,
        Messages,
        Projects,
        ProjectTemplates,
        ProjectCategories,
        NoteCategories,
        TaskCategories,
        Meetings,
        CustomObjects,
        CustomObjectInstances,
        CustomFields,
    ),
)
