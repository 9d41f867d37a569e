"""Experimentation platform: accounts, campaigns and what surrounds them.

Header key, offset pages, rows under `_data`, some of them in `_data.partialCollection`. The
server is of the kind that sends an empty object as `[]` and an empty list as `{}`, so every
nested value is declared as one that may come as the other.
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
from tap_analytics.streams.schema_types import LooseArray, LooseObject
from tap_analytics.transport.auth import ApiKeyHeader

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import Confirm, Page, PageToken, PagingState
    from tap_analytics.records.payload import Row


PERSON = LooseObject(
    th.Property("id", th.NumberType, description="Identifier of the user."),
    th.Property("name", th.StringType, description="Name of the user."),
    th.Property("imageUrl", th.StringType, description="Address of the user's picture."),
)

FEED_CAMPAIGN = LooseObject(
    th.Property("id", th.NumberType, description="Identifier of the campaign."),
    th.Property("name", th.StringType, description="Name of the campaign."),
    th.Property("type", th.StringType, description="Type of the campaign."),
    th.Property("platform", th.StringType, description="Platform the campaign runs on."),
    th.Property("appPlatform", th.StringType, description="Platform of the app."),
    th.Property("goalId", th.NumberType, description="Goal the activity concerns."),
)

GOAL = LooseObject(
    th.Property("id", th.NumberType, description="Identifier of the goal within its campaign."),
    th.Property("name", th.StringType, description="Name of the goal."),
    th.Property("type", th.StringType, description="What the goal counts."),
    th.Property("isPrimary", th.BooleanType, description="Whether the campaign is judged by it."),
    th.Property("averageData", LooseArray(th.AnyType), description="Averages measured."),
)
GOALS = LooseObject(
    th.Property("offset", th.NumberType, description="Position of the first goal listed."),
    th.Property("totalCount", th.NumberType, description="Number of goals."),
    th.Property("partialCollection", LooseArray(GOAL), description="The goals listed."),
)
VARIATIONS = LooseObject(
    th.Property("totalCount", th.NumberType, description="Number of variations."),
    th.Property(
        "partialCollection",
        LooseArray(th.AnyType),
        description="The variations listed, often none.",
    ),
)

LABEL = LooseObject(
    th.Property("id", th.NumberType, description="Identifier of the label."),
    th.Property("name", th.StringType, description="Name of the label."),
)

PAGE_RULE = LooseObject(
    th.Property("id", th.StringType, description="Identifier of the rule."),
    th.Property("queryElementType", th.StringType, description="What the rule looks at."),
    th.Property("operator", th.NumberType, description="Code of the comparison."),
    th.Property("rOperandValue", th.StringType, description="Value compared with."),
    th.Property(
        "configurations",
        LooseObject(
            th.Property("caseInsensitive", th.BooleanType, description="Ignores case."),
            th.Property("ignoreOnlyHashFrag", th.BooleanType, description="Ignores fragments."),
            th.Property("ignoreOnlyQueryParams", th.BooleanType, description="Ignores queries."),
        ),
        description="How the values are compared.",
    ),
)
PAGES = LooseObject(
    th.Property(
        "editorUrl",
        LooseArray(th.StringType(nullable=True)),
        description="Addresses opened in the editor.",
    ),
    th.Property("include", LooseArray(PAGE_RULE), description="Pages the campaign runs on."),
    th.Property("exclude", LooseArray(th.AnyType), description="Pages it leaves out."),
)

# Numbers of the settings below come as strings or as numbers, by campaign type: left untyped.
STATS = LooseObject(
    th.Property("delayDecision", th.BooleanType, description="Whether a decision is delayed."),
    th.Property("expectedConversionRate", th.AnyType, description="Conversion rate expected."),
    th.Property("expectedDailyVisitors", th.AnyType, description="Visitors a day expected."),
    th.Property("expectedImprovementRate", th.AnyType, description="Improvement expected."),
    th.Property("expectedRevenuePerVisitor", th.AnyType, description="Revenue expected."),
    th.Property("multipleCorrection", th.BooleanType, description="Corrects for many variations."),
    th.Property(
        "pauseCampaignAfterFinalDay",
        th.BooleanType,
        description="Whether the campaign pauses after its last day.",
    ),
    th.Property("peekingCorrection", th.BooleanType, description="Corrects for early looks."),
    th.Property("reportingVersion", th.AnyType, description="Version of the reporting."),
    th.Property("reportingView", th.AnyType, description="View of the reporting."),
    th.Property("testingApproach", th.AnyType, description="Statistical approach."),
    th.Property("thresholdOfCaring", th.AnyType, description="Smallest difference that matters."),
)


@dataclass(frozen=True, kw_only=True)
class EnvelopeOffset(Offset):
    """Pages by row number; `_data` tells whether there is more than one page."""

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
        """Return the rows of the shapes `_data` has: list, wrapped list, one object, nothing."""
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
        """The account all but `/accounts` is read from, `current` for the key's own."""
        return str(self.connection.settings.get("account_id") or "current")


class SingleObjectStream(ExperimentationStream):
    """Base of the resources that are one object per account, and carry no key of their own."""

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
        th.Property("id", th.IntegerType, required=True, description="Identifier of the account."),
        th.Property("name", th.StringType, description="Name of the account."),
        th.Property("isMainAccount", th.BooleanType, description="Whether it is the main account."),
        th.Property("isActive", th.BooleanType, description="Whether the account is active."),
        th.Property("isEnabled", th.BooleanType, description="Whether the account is enabled."),
        th.Property("createdOn", th.IntegerType, description="Creation time, epoch seconds."),
    ).to_dict()


class AccountsFeeds(ExperimentationStream):
    """Activities in the account's timeline."""

    name = "experimentation_accounts_feeds"
    path = "/accounts/{account}/feeds"
    replication_key = "when"
    replication_unit = "epoch_s"
    references = MappingProxyType(
        {
            "who.id": "experimentation_users.id",
            "campaign.id": "experimentation_campaigns.id",
        }
    )
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the activity."),
        th.Property("type", th.StringType, description="Kind of the thing acted on."),
        th.Property("verb", th.StringType, description="What was done."),
        th.Property("what", th.StringType, description="The activity in words."),
        th.Property("when", th.IntegerType, description="Time of the activity, epoch seconds."),
        th.Property("who", PERSON, description="User who acted."),
        th.Property("campaign", FEED_CAMPAIGN, description="Campaign acted on."),
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
        th.Property("id", th.IntegerType, required=True, description="Identifier of the user."),
        th.Property("account", th.IntegerType, description="Account the user belongs to."),
        th.Property("name", th.StringType, description="Name of the user."),
        th.Property("email", th.StringType, description="Email address."),
        th.Property("permission", th.StringType, description="What the user may do."),
        th.Property("title", th.StringType, description="Job title."),
        th.Property("department", th.StringType, description="Department."),
        th.Property("phone", th.StringType, description="Telephone number."),
        th.Property("country", th.StringType, description="Country."),
        th.Property("createdOn", th.IntegerType, description="Creation time, epoch seconds."),
        th.Property("lastLogin", th.IntegerType, description="Last login, epoch seconds."),
    ).to_dict()


class Campaigns(ExperimentationStream):
    """Campaigns of every type, deleted ones included."""

    name = "experimentation_campaigns"
    path = "/accounts/{account}/campaigns"
    references = MappingProxyType(
        {
            "createdBy.id": "experimentation_users.id",
            "labels.id": "experimentation_labels.id",
        }
    )
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType, required=True, description="Identifier of the campaign."),
        th.Property("name", th.StringType, description="Name of the campaign."),
        th.Property("type", th.StringType, description="Type: ab, split, heatmap and others."),
        th.Property("platform", th.StringType, description="Platform the campaign runs on."),
        th.Property("status", th.StringType, description="State: RUNNING, PAUSED and others."),
        th.Property("isDeleted", th.BooleanType, description="Whether the campaign was deleted."),
        th.Property("isApprovalPending", th.BooleanType, description="Whether it needs approval."),
        th.Property("isBayesian", th.BooleanType, description="Whether statistics are Bayesian."),
        th.Property("createdOn", th.IntegerType, description="Creation time, epoch seconds."),
        th.Property("createdBy", PERSON, description="User who created the campaign."),
        th.Property("primaryGoal", th.NumberType, description="Goal the campaign is judged by."),
        th.Property("goals", GOALS, description="Goals of the campaign."),
        th.Property("variations", VARIATIONS, description="Variations of the campaign."),
        th.Property("labels", LooseArray(LABEL), description="Labels of the campaign."),
        th.Property("campaignGroup", LooseArray(th.AnyType), description="Groups it belongs to."),
        th.Property(
            "associatedCampaign",
            LooseArray(th.AnyType),
            description="Campaigns associated with this one.",
        ),
        th.Property("pageGroupConfig", PAGES, description="Pages the campaign runs on."),
        th.Property("stats", STATS, description="Statistical settings."),
    ).to_dict()


class Labels(ExperimentationStream):
    """Labels put on campaigns."""

    name = "experimentation_labels"
    path = "/accounts/{account}/labels"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType, required=True, description="Identifier of the label."),
        th.Property("name", th.StringType, description="Name of the label."),
    ).to_dict()


class CustomWidgets(ExperimentationStream):
    """Widgets made for the account, which the API calls changesets."""

    name = "experimentation_custom_widgets"
    path = "/accounts/{account}/changesets"
    replication_key = "updatedAt"
    replication_unit = "epoch_s"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType, required=True, description="Identifier of the widget."),
        th.Property("name", th.StringType, description="Name of the widget."),
        th.Property("type", th.StringType, description="Type of the widget."),
        th.Property("description", th.StringType, description="Description of the widget."),
        th.Property("createdAt", th.IntegerType, description="Creation time, epoch seconds."),
        th.Property("createdBy", th.StringType, description="Name of the user who created it."),
        th.Property("updatedAt", th.IntegerType, description="Last change, epoch seconds."),
    ).to_dict()


class Smartcode(SingleObjectStream):
    """The snippet that puts the platform on a site, one object per account."""

    name = "experimentation_smartcode"
    path = "/accounts/{account}/smartcode"
    schema = th.PropertiesList(
        th.Property("uid", th.StringType, required=True, description="The object's, or account's."),
        th.Property("async", th.StringType, description="Snippet that loads asynchronously."),
        th.Property("sync", th.StringType, description="Snippet that loads synchronously."),
    ).to_dict()


class Thresholds(SingleObjectStream):
    """The limits at which a campaign counts as won or lost, one object per account."""

    name = "experimentation_thresholds"
    path = "/accounts/{account}/thresholds"
    schema = th.PropertiesList(
        th.Property("uid", th.StringType, required=True, description="The object's, or account's."),
        th.Property("visitors", th.NumberType, description="Visitors needed for a verdict."),
        th.Property("winningPercent", th.NumberType, description="Percentage that wins."),
        th.Property("losingPercent", th.NumberType, description="Percentage that loses."),
    ).to_dict()


class Integrations(SingleObjectStream):
    """The links to other analytics products, one object per account."""

    name = "experimentation_integrations"
    path = "/accounts/{account}/integrations"
    schema = th.PropertiesList(
        th.Property("uid", th.StringType, required=True, description="The object's, or account's."),
        th.Property(
            "ga",
            LooseObject(
                th.Property("enabled", th.BooleanType, description="Whether it is on."),
                th.Property("prefix", th.StringType, description="Prefix of what is sent."),
                th.Property("slot", th.NumberType, description="Slot of the custom variable."),
            ),
            description="Classic web analytics.",
        ),
        th.Property(
            "ua",
            LooseObject(
                th.Property("enabled", th.BooleanType, description="Whether it is on."),
                th.Property("prefix", th.StringType, description="Prefix of what is sent."),
                th.Property("dimension", th.NumberType, description="Custom dimension used."),
            ),
            description="Universal web analytics.",
        ),
        th.Property(
            "gtm",
            LooseObject(th.Property("enabled", th.BooleanType, description="Whether it is on.")),
            description="Tag manager.",
        ),
        th.Property(
            "clicktale",
            LooseObject(th.Property("enabled", th.BooleanType, description="Whether it is on.")),
            description="Session recording.",
        ),
        th.Property("isGaPremium", th.BooleanType, description="Whether the paid edition is used."),
    ).to_dict()


EXPERIMENTATION = Api(
    name="experimentation",
    title="Experimentation platform",
    settings=(
        Setting(
            name="api_key",
            kind="string",
            secret=True,
            required=True,
            description="API key of the experimentation platform.",
        ),
        Setting(
            name="base_url",
            kind="string",
            description="Address of the API with its version.",
            example="https://app.vwo.com/api/v2",
        ),
        Setting(
            name="api_key_header",
            kind="string",
            default="api_key",
            description="Name of the header that carries the key; `token` for the real service.",
        ),
        Setting(
            name="account_id",
            kind="string",
            default="current",
            description="Account to read; `current` is the main account of the key.",
        ),
        Setting(
            name="include_current",
            kind="boolean",
            default=True,
            nullable=True,
            description="Sent as `includeCurrent`: list the key's own account too; "
            "null sends none.",
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
