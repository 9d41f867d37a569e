"""What an account has beside campaigns: users, the feed, labels, widgets and settings."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.streams.experimentation.objects import (
    CLASSIC_ANALYTICS,
    ENVIRONMENT,
    FEED_CAMPAIGN,
    PERSON,
    SWITCH,
    UNIVERSAL_ANALYTICS,
    VARIABLE,
)
from tap_analytics.streams.experimentation.stream import ExperimentationStream, UndocumentedOffset
from tap_analytics.streams.schema_types import (
    LooseArray,
    LooseObject,
    boolean,
    field,
    integer,
    number,
    string,
)

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken


#: Common fields of projects and features.
MADE_BY = (
    string("name", "Name."),
    integer("accountId", "Account it belongs to."),
    integer("createdOn", "Creation time, epoch seconds."),
    integer("modifiedOn", "Last change, epoch seconds."),
    field("createdBy", PERSON, "User who created it."),
    field("setting", LooseObject(), "Whether it can be edited, and campaigns that use it."),
)


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


class AccountList(ExperimentationStream):
    """Base of the lists that the specification doesn't name."""

    selected_by_default = False
    paging = UndocumentedOffset()


class MetricReports(ExperimentationStream):
    """Reports on metrics; all fields but the key are undocumented."""

    name = "experimentation_metric_reports"
    path = "/accounts/{account}/insights-metrics"
    selected_by_default = False
    schema = th.PropertiesList(
        integer("id", "Identifier of the report.", required=True),
        string("status", "State of the report, such as running."),
    ).to_dict()


class Projects(AccountList):
    """Projects of server-side experiments, with the SDK keys of their environments."""

    name = "experimentation_projects"
    path = "/accounts/{account}/projects"
    schema = th.PropertiesList(
        integer("id", "Identifier of the project.", required=True),
        *MADE_BY,
        field("languages", LooseArray(th.StringType(nullable=True)), "Languages of its SDKs."),
        field("environments", LooseArray(ENVIRONMENT), "Environments of the project."),
    ).to_dict()


class Features(AccountList):
    """Features of server-side experiments."""

    name = "experimentation_features"
    path = "/accounts/{account}/features"
    schema = th.PropertiesList(
        integer("id", "Identifier of the feature.", required=True),
        *MADE_BY,
        field("variables", LooseArray(VARIABLE), "Variables of the feature."),
    ).to_dict()


class Websites(AccountList):
    """Websites of the account."""

    name = "experimentation_websites"
    path = "/accounts/{account}/websites"
    references = MappingProxyType({"accountId": "experimentation_accounts.id"})
    schema = th.PropertiesList(
        integer("id", "Identifier of the website.", required=True),
        integer("accountId", "Account the website belongs to."),
        string("name", "Name of the website."),
        string("domain", "Domain of the website."),
        string("platform", "Platform: website."),
        string("status", "State: CONNECTED, NO_SMARTCODE_DETECTED or ERROR."),
        boolean("isArchived", "Whether the website was archived."),
        integer("archivedAt", "When it was archived, epoch seconds."),
        boolean("isRegistered", "Whether the website is registered."),
        integer("createdAt", "Creation time, epoch seconds."),
        integer("lastUpdatedAt", "Last change, epoch seconds."),
        integer("lastActivity", "Last activity, epoch seconds."),
    ).to_dict()

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        # The service writes false where there is no time, and a column has one type.
        processed = super().post_process(row, context) or row
        return {**processed, "archivedAt": processed.get("archivedAt") or None}
