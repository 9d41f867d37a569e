"""Experimentation platform: accounts, campaigns and related objects.

Header key, offset pages, rows under `_data`, some of them in `_data.partialCollection`. The
server may send an empty object as `[]` and an empty list as `{}`, so every nested value is declared
as either.
"""

from __future__ import annotations

from singer_sdk import typing as th

from tap_analytics.config.settings import Setting
from tap_analytics.streams.api import Api
from tap_analytics.streams.experimentation.account import (
    Accounts,
    AccountsFeeds,
    CustomWidgets,
    Features,
    Integrations,
    Labels,
    MetricReports,
    Projects,
    Smartcode,
    Thresholds,
    Users,
    Websites,
)
from tap_analytics.streams.experimentation.campaigns import (
    CampaignDetails,
    CampaignGoals,
    Campaigns,
    CampaignSections,
    CampaignVariations,
    Drafts,
)
from tap_analytics.transport.auth import ApiKeyHeader

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
            "workspace_id",
            "Number of the workspace to read, instead of `account_id`; it becomes a column of "
            "every row and part of every key, so that several workspaces fit into one table.",
            th.IntegerType(minimum=1),
            replaces=("account_id",),
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
    account=lambda block: str(block.get("workspace_id") or block.get("account_id", "current")),
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
        CampaignVariations,
        CampaignGoals,
        CampaignSections,
        CampaignDetails,
        Drafts,
        MetricReports,
        Projects,
        Features,
        Websites,
    ),
)
