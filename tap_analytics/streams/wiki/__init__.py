"""Wiki: spaces, what is written in them, groups and the audit log.

Basic auth, offset pages in version 1 and cursors in version 2, rows under `results`. The API has
neither a key for audit events nor a top-level modification time of pages: both are derived from the
row.
"""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th

from tap_analytics.config.settings import Setting
from tap_analytics.streams.api import Api
from tap_analytics.streams.wiki.content import (
    Attachments,
    BlogPostLabels,
    BlogPosts,
    FooterComments,
    InlineComments,
    Labels,
    PageLabels,
    Pages,
    PageVersions,
    Space,
    Tasks,
)
from tap_analytics.streams.wiki.people import Audit, Group, GroupMembers
from tap_analytics.transport.auth import Basic, Bearer

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.transport.auth import Authenticator


def _sign(block: Mapping[str, t.Any]) -> Authenticator:
    token: str | None = block.get("access_token")
    return Bearer(token) if token else Basic(block["email"], block["api_token"])


WIKI = Api(
    name="wiki",
    title="Wiki",
    settings=(
        Setting("email", "Login email, the user name of the requests.", secret=True, required=True),
        Setting(
            "api_token",
            "API token of the login, the password of the requests.",
            secret=True,
            required=True,
        ),
        Setting(
            "access_token",
            "Personal access token, or access token of OAuth, sent as bearer instead of `email` "
            "and `api_token`.",
            secret=True,
            replaces=("email", "api_token"),
        ),
        Setting(
            "base_url",
            "Address of the site, or of the gateway that tokens with scopes need.",
            example="https://example.atlassian.net",
        ),
        Setting(
            "v1_path", "Path of version 1; `/wiki/rest/api` for the real service.", default="/v1"
        ),
        Setting(
            "v2_path", "Path of version 2; `/wiki/api/v2` for the real service.", default="/v2"
        ),
        Setting(
            "body_format",
            "Sent as `body-format` for pages, blog posts, comments and tasks; null sends none.",
            default="storage",
            nullable=True,
        ),
        Setting(
            "statuses",
            "Statuses of pages, blog posts and attachments that are read by passes of their own, "
            "whole in each run, so that deletes arrive as rows; an empty list reads none.",
            th.ArrayType(th.StringType(allowed_values=["archived", "trashed", "deleted"])),
            default=["trashed"],
        ),
        Setting(
            "description_format",
            "Sent as `description-format` for spaces; null sends none.",
            default="plain",
            nullable=True,
        ),
        Setting(
            "include_icon",
            "Sent as `include-icon` for spaces; null sends none.",
            th.BooleanType,
            default=True,
            nullable=True,
        ),
        Setting(
            "sort_by",
            "Sent as `sort` for pages, blog posts, comments and attachments, instead of the one "
            "that fits the replication; null sends none.",
            nullable=True,
        ),
    ),
    authenticate=_sign,
    account=lambda block: block.get("email"),
    page_size=25,
    largest_page_size=250,
    streams=(
        Audit,
        Group,
        Pages,
        BlogPosts,
        Space,
        FooterComments,
        InlineComments,
        Attachments,
        Tasks,
        Labels,
        PageLabels,
        BlogPostLabels,
        PageVersions,
        GroupMembers,
    ),
)
