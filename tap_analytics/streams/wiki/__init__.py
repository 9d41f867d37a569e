"""Wiki: spaces, what is written in them, groups and the audit log.

Basic auth, offset pages in version 1 and cursors in version 2, rows under `results`. The API has
neither a key for audit events nor a top-level modification time of pages: both are derived from the
row.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from singer_sdk import typing as th

from tap_analytics.config.settings import Setting
from tap_analytics.errors import InputError
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
from tap_analytics.transport.oauth import OAuth2RefreshToken
from tap_analytics.transport.token_file import TokenFile

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.transport.auth import Authenticator


_PASSWORD = ("email", "api_token")
_OAUTH = ("refresh_token", "client_id", "client_secret")


def _sign(block: Mapping[str, t.Any]) -> Authenticator:
    if block.keys() & set(_OAUTH):
        return _oauth(block)
    token: str | None = block.get("access_token")
    return Bearer(token) if token else Basic(block["email"], block["api_token"])


def _oauth(block: Mapping[str, t.Any]) -> Authenticator:
    if missing := [f"`wiki.{name}`" for name in _OAUTH if not block.get(name)]:
        raise InputError(f"{' and '.join(missing)} must be given too, to sign by a refresh token.")
    file = block.get("refresh_token_file")
    return OAuth2RefreshToken(
        token_url=block["token_url"],
        client_id=block["client_id"],
        client_secret=block["client_secret"],
        refresh_token=block["refresh_token"],
        file=None if file is None else TokenFile(Path(file).expanduser()),
    )


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
            replaces=_PASSWORD,
        ),
        Setting(
            "refresh_token",
            "Refresh token of an OAuth app, which gives the access token; with `client_id` and "
            "`client_secret`.",
            secret=True,
            replaces=(*_PASSWORD, "access_token"),
        ),
        Setting("client_id", "Name of the OAuth app."),
        Setting("client_secret", "Secret of the OAuth app.", secret=True, replaces=_PASSWORD),
        Setting(
            "refresh_token_file",
            "File that keeps the refresh token which replaces `refresh_token`; only its owner can "
            "read it.",
        ),
        Setting(
            "token_url",
            "Where the refresh token is exchanged.",
            default="https://auth.atlassian.com/oauth/token",
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
