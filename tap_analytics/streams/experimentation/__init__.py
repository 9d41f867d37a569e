"""Experimentation platform: accounts, campaigns and related objects.

Header key, offset pages, rows under `_data`, some of them in `_data.partialCollection`. The
server may send an empty object as `[]` and an empty list as `{}`, so every nested value is declared
as either.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.config.settings import Setting
from tap_analytics.pagination import Offset, StopReason
from tap_analytics.records.payload import SelectorError, as_rows
from tap_analytics.streams.api import Api
from tap_analytics.streams.experimentation.objects import (
    CLASSIC_ANALYTICS,
    FEED_CAMPAIGN,
    GOALS,
    LABEL,
    PAGES,
    PERSON,
    STATS,
    SWITCH,
    UNIVERSAL_ANALYTICS,
    VARIATIONS,
)
from tap_analytics.streams.schema_types import LooseArray, boolean, field, integer, number, string
from tap_analytics.transport.auth import ApiKeyHeader

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import Confirm, Page, PageToken, PagingState
    from tap_analytics.records.payload import Row


@dataclass(frozen=True, kw_only=True)
class EnvelopeOffset(Offset):
    """Offset pages; the shape of `_data` shows whether there is more than one page."""

    total_path: str | None = "_data.totalCount"

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        data = page.payload.get("_data") if isinstance(page.payload, dict) else None
        if isinstance(data, dict) and "partialCollection" not in data:
            return StopReason.OBJECT
        return super().next_token(page, seen)


class ExperimentationStream(AnalyticsStream):
    """Base of the experimentation platform's streams."""

    api = "experimentation"
    records_path = ("_data",)
    paging = EnvelopeOffset()
    primary_keys: tuple[str, ...] = ("id",)

    @property
    @override
    def path_values(self) -> Mapping[str, object]:
        return {"account": self.account_id}

    @override
    def select(self, payload: t.Any) -> list[Row]:
        """Return the rows in `_data`, which is a list, a wrapped list, one object or nothing."""
        if not isinstance(payload, dict):
            raise SelectorError("the response is not an object with `_data`.")
        data = payload.get("_data")
        if data is None and payload.keys() - {"_data", "_metadata"}:
            return super().select(payload)
        if isinstance(data, dict) and "partialCollection" in data:
            listed = data["partialCollection"]
            return as_rows(listed, "`_data.partialCollection`") if isinstance(listed, list) else []
        return as_rows(data, "`_data`")

    @property
    def account_id(self) -> str:
        """The account of all resources except `/accounts`; `current` is that of the key."""
        return str(self.connection.settings.get("account_id") or "current")


class SingleObjectStream(ExperimentationStream):
    """Base of the resources with one object per account and no key."""

    primary_keys = ("uid",)

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        uid = row.get("uid")
        return {**row, "uid": self.account_id if uid is None else str(uid)}


class Accounts(ExperimentationStream):
    """Accounts the key can see, the main one included."""

    name = "experimentation_accounts"
    path = "/accounts"
    setting_params = MappingProxyType({"includeCurrent": "include_current"})
    schema = th.PropertiesList(
        integer("id", "Identifier of the account.", required=True),
        string("name", "Name of the account."),
        boolean("isMainAccount", "Whether it is the main account."),
        boolean("isActive", "Whether the account is active."),
        boolean("isEnabled", "Whether the account is enabled."),
        integer("createdOn", "Creation time, epoch seconds."),
    ).to_dict()


class AccountsFeeds(ExperimentationStream):
    """Activities in the account's timeline."""

    name = "experimentation_accounts_feeds"
    path = "/accounts/{account}/feeds"
    replication_key = "when"
    replication_unit = "epoch_s"
    references = MappingProxyType(
        {"who.id": "experimentation_users.id", "campaign.id": "experimentation_campaigns.id"}
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the activity.", required=True),
        string("type", "Kind of the thing acted on."),
        string("verb", "What was done."),
        string("what", "The activity in words."),
        integer("when", "Time of the activity, epoch seconds."),
        field("who", PERSON, "User who acted."),
        field("campaign", FEED_CAMPAIGN, "Campaign acted on."),
    ).to_dict()

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        bounds = {"startTime": start, "endTime": end}
        return {name: str(value) for name, value in bounds.items() if value is not None}


class Users(ExperimentationStream):
    """Users of the account."""

    name = "experimentation_users"
    path = "/accounts/{account}/users"
    references = MappingProxyType({"account": "experimentation_accounts.id"})
    schema = th.PropertiesList(
        integer("id", "Identifier of the user.", required=True),
        integer("account", "Account the user belongs to."),
        string("name", "Name of the user."),
        string("email", "Email address."),
        string("permission", "What the user may do."),
        string("title", "Job title."),
        string("department", "Department."),
        string("phone", "Telephone number."),
        string("country", "Country."),
        integer("createdOn", "Creation time, epoch seconds."),
        integer("lastLogin", "Last login, epoch seconds."),
    ).to_dict()


class Campaigns(ExperimentationStream):
    """Campaigns of every type, deleted ones included."""

    name = "experimentation_campaigns"
    path = "/accounts/{account}/campaigns"
    references = MappingProxyType(
        {"createdBy.id": "experimentation_users.id", "labels.id": "experimentation_labels.id"}
    )
    schema = th.PropertiesList(
        integer("id", "Identifier of the campaign.", required=True),
        string("name", "Name of the campaign."),
        string("type", "Type: ab, split, heatmap and others."),
        string("platform", "Platform the campaign runs on."),
        string("status", "State: RUNNING, PAUSED and others."),
        boolean("isDeleted", "Whether the campaign was deleted."),
        boolean("isApprovalPending", "Whether it needs approval."),
        boolean("isBayesian", "Whether statistics are Bayesian."),
        integer("createdOn", "Creation time, epoch seconds."),
        field("createdBy", PERSON, "User who created the campaign."),
        number("primaryGoal", "Goal the campaign is judged by."),
        field("goals", GOALS, "Goals of the campaign."),
        field("variations", VARIATIONS, "Variations of the campaign."),
        field("labels", LooseArray(LABEL), "Labels of the campaign."),
        field("campaignGroup", LooseArray(th.AnyType), "Groups it belongs to."),
        field("associatedCampaign", LooseArray(th.AnyType), "Campaigns associated with this one."),
        field("pageGroupConfig", PAGES, "Pages the campaign runs on."),
        field("stats", STATS, "Statistical settings."),
    ).to_dict()


class Labels(ExperimentationStream):
    """Labels of campaigns."""

    name = "experimentation_labels"
    path = "/accounts/{account}/labels"
    schema = th.PropertiesList(
        integer("id", "Identifier of the label.", required=True),
        string("name", "Name of the label."),
    ).to_dict()


class CustomWidgets(ExperimentationStream):
    """Custom widgets, which the API calls changesets."""

    name = "experimentation_custom_widgets"
    path = "/accounts/{account}/changesets"
    replication_key = "updatedAt"
    replication_unit = "epoch_s"
    schema = th.PropertiesList(
        integer("id", "Identifier of the widget.", required=True),
        string("name", "Name of the widget."),
        string("type", "Type of the widget."),
        string("description", "Description of the widget."),
        integer("createdAt", "Creation time, epoch seconds."),
        string("createdBy", "Name of the user who created it."),
        integer("updatedAt", "Last change, epoch seconds."),
    ).to_dict()


class Smartcode(SingleObjectStream):
    """The snippet to embed in a site, one object per account."""

    name = "experimentation_smartcode"
    path = "/accounts/{account}/smartcode"
    schema = th.PropertiesList(
        string("uid", "The object's, or account's.", required=True),
        string("async", "Snippet that loads asynchronously."),
        string("sync", "Snippet that loads synchronously."),
    ).to_dict()


class Thresholds(SingleObjectStream):
    """The limits at which a campaign counts as won or lost, one object per account."""

    name = "experimentation_thresholds"
    path = "/accounts/{account}/thresholds"
    schema = th.PropertiesList(
        string("uid", "The object's, or account's.", required=True),
        number("visitors", "Visitors needed for a verdict."),
        number("winningPercent", "Percentage that wins."),
        number("losingPercent", "Percentage that loses."),
    ).to_dict()


class Integrations(SingleObjectStream):
    """The links to other analytics products, one object per account."""

    name = "experimentation_integrations"
    path = "/accounts/{account}/integrations"
    schema = th.PropertiesList(
        string("uid", "The object's, or account's.", required=True),
        field("ga", CLASSIC_ANALYTICS, "Classic web analytics."),
        field("ua", UNIVERSAL_ANALYTICS, "Universal web analytics."),
        field("gtm", SWITCH, "Tag manager."),
        field("clicktale", SWITCH, "Session recording."),
        boolean("isGaPremium", "Whether the paid edition is used."),
    ).to_dict()


EXPERIMENTATION = Api(
    name="experimentation",
    title="Experimentation platform",
    settings=(
        Setting("api_key", "API key of the experimentation platform.", secret=True, required=True),
        Setting(
            "base_url", "Address of the API with its version.", example="https://app.vwo.com/api/v2"
        ),
        Setting(
            "api_key_header",
            "Name of the header that carries the key; `token` for the real service.",
            default="api_key",
        ),
        Setting(
            "account_id",
            "Account to read; `current` is the main account of the key.",
            default="current",
        ),
        Setting(
            "include_current",
            "Sent as `includeCurrent`: list the key's own account too; null sends none.",
            th.BooleanType,
            default=True,
            nullable=True,
        ),
    ),
    authenticate=lambda block: ApiKeyHeader(
        block.get("api_key_header", "api_key"), block["api_key"]
    ),
    account=lambda block: block.get("account_id", "current"),
    page_size=50,
    requests_per_second=1,
    streams=(
        Accounts,
        AccountsFeeds,
        Users,
        Campaigns,
        Labels,
        CustomWidgets,
        Smartcode,
        Thresholds,
        Integrations,
    ),
)
