"""Wiki: the audit log, groups, pages, blog posts and spaces.

Basic auth, offset pages in version 1 and cursors in version 2, rows under `results`. The API names
neither a key for audit events nor a time of change at the top of a page: both are derived here,
from nothing but the row.
"""

from __future__ import annotations

import hashlib
import typing as t
from types import MappingProxyType

import msgspec
from singer_sdk import typing as th
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.config.settings import Setting
from tap_analytics.pagination import LinkedOffset
from tap_analytics.streams.api import Api
from tap_analytics.streams.schema_types import OpenObject
from tap_analytics.transport.auth import Basic

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken

#: Keys sorted, no spaces, UTF-8, a Decimal as the number it was decoded from.
CANONICAL_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="number")

STRINGS = th.ArrayType(th.StringType(nullable=True))

VERSION = OpenObject(
    th.Property("createdAt", th.DateTimeType, description="When this version was saved."),
    th.Property("message", th.StringType, description="Comment of whoever saved it."),
    th.Property("number", th.IntegerType, description="Number of the version, from 1."),
    th.Property("minorEdit", th.BooleanType, description="Whether watchers were not notified."),
    th.Property("authorId", th.StringType, description="Account that saved this version."),
    th.Property("ncsStepVersion", th.StringType, description="Step of collaborative editing."),
    th.Property(
        "contributorIds",
        STRINGS,
        description="Accounts that contributed to this version.",
    ),
)

TEXT = OpenObject(
    th.Property("representation", th.StringType, description="Format of the text."),
    th.Property("value", th.StringType, description="The text."),
)
BODY = OpenObject(
    th.Property("storage", TEXT, description="The text as it is stored."),
    th.Property("atlas_doc_format", TEXT, description="The text as a document tree."),
)

NAMED_OBJECT = OpenObject(
    th.Property("name", th.StringType, description="Name of the object."),
    th.Property("objectType", th.StringType, description="Type of the object."),
    nullable=True,
)
CHANGED_VALUE = OpenObject(
    th.Property("name", th.StringType, description="What was changed."),
    th.Property("oldValue", th.StringType, description="Value before."),
    th.Property("newValue", th.StringType, description="Value after."),
    th.Property("hiddenOldValue", th.StringType, description="Identifier behind the old value."),
    th.Property("hiddenNewValue", th.StringType, description="Identifier behind the new value."),
    nullable=True,
)
AUTHOR = OpenObject(
    th.Property("type", th.StringType, description="Type of the author: user."),
    th.Property("displayName", th.StringType, description="Name shown."),
    th.Property("operations", th.AnyType, description="Operations, as a list or an object."),
    th.Property("username", th.StringType, description="Former user name."),
    th.Property("userKey", th.StringType, description="Former user key."),
    th.Property("accountId", th.StringType, description="Account, absent for system events."),
    th.Property("accountType", th.StringType, description="Type of the account."),
    th.Property("publicName", th.StringType, description="Name shown to the public."),
    th.Property("externalCollaborator", th.BooleanType, description="Former mark of a guest."),
    th.Property("isExternalCollaborator", th.BooleanType, description="Former mark of a guest."),
    th.Property("isGuest", th.BooleanType, description="Whether the author is a guest."),
)

LINKS = th.Property(
    "_links",
    OpenObject(),
    description="Addresses of the object, relative to the site.",
)

#: What pages and blog posts have in common.
CONTENT = (
    th.Property("status", th.StringType, description="State: current, archived and others."),
    th.Property("title", th.StringType, description="Title."),
    th.Property("spaceId", th.StringType, description="Space it belongs to."),
    th.Property("authorId", th.StringType, description="Account that created it."),
    th.Property("createdAt", th.DateTimeType, description="When it was created."),
    th.Property(
        "updatedAt",
        th.DateTimeType,
        description="When it last changed: the time of its version.",
    ),
    th.Property("version", VERSION, description="The current version."),
    th.Property("body", BODY, description="The text, in the format asked for."),
    LINKS,
)


class WikiStream(AnalyticsStream):
    """Base of the wiki's streams."""

    api = "wiki"
    records_path = ("results",)
    # Version 2 has cursors only and ignores `start`; a plain server has no links and knows `start`.
    paging = LinkedOffset(offset_param="start", total_path=None)
    primary_keys: tuple[str, ...] = ("id",)
    #: Version of the API that has the endpoint.
    version: t.ClassVar[int]

    @property
    @override
    def url_base(self) -> str:
        prefix = self.connection.settings[f"v{self.version}_path"]
        return f"{super().url_base}/{prefix.strip('/')}"


class VersionedContentStream(WikiStream):
    """Base of what is edited, and so carries the time of its last change in its version."""

    replication_key = "updatedAt"
    replication_unit = "iso"
    stable_order = MappingProxyType({"sort": "id"})
    newest_first = MappingProxyType({"sort": "-modified-date"})
    setting_params = MappingProxyType({"body-format": "body_format"})

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        version = row.get("version")
        saved = version.get("createdAt") if isinstance(version, dict) else None
        updated = saved or row.get("createdAt")
        return {**row, "updatedAt": updated} if updated else row


class Audit(WikiStream):
    """Events of the audit log."""

    name = "wiki_audit"
    version = 1
    path = "/audit"
    # Bulk changes log several events in one millisecond: the time alone is no key.
    primary_keys = ("creationDate", "record_hash")
    replication_key = "creationDate"
    replication_unit = "epoch_ms"
    schema = th.PropertiesList(
        th.Property(
            "creationDate",
            th.IntegerType,
            required=True,
            description="Time of the event, epoch milliseconds.",
        ),
        th.Property(
            "record_hash",
            th.StringType,
            required=True,
            description="SHA-256 of the event as received: tells events of one millisecond apart.",
        ),
        th.Property("author", AUTHOR, description="Who caused the event."),
        th.Property("remoteAddress", th.StringType, description="Network address of the author."),
        th.Property("summary", th.StringType, description="The event in short."),
        th.Property("description", th.StringType, description="The event in more words."),
        th.Property("category", th.StringType, description="Category of the event."),
        th.Property("sysAdmin", th.BooleanType, description="Whether a system admin acted."),
        th.Property("superAdmin", th.BooleanType, description="Whether a super admin acted."),
        th.Property("affectedObject", NAMED_OBJECT, description="Object the event happened to."),
        th.Property("changedValues", th.ArrayType(CHANGED_VALUE), description="What was changed."),
        th.Property(
            "associatedObjects",
            th.ArrayType(NAMED_OBJECT),
            description="Other objects concerned.",
        ),
    ).to_dict()

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        # Both bounds are inclusive here; the end of a window is not.
        bounds = {"startDate": start, "endDate": None if end is None else end - 1}
        return {name: str(value) for name, value in bounds.items() if value is not None}

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        return {
            **row,
            "creationDate": self._epoch_ms(row.get("creationDate")),
            "record_hash": hashlib.sha256(CANONICAL_JSON.encode(row)).hexdigest(),
        }

    def _epoch_ms(self, moment: t.Any) -> int:  # noqa: ANN401 - the server decides the type
        try:
            return int(moment)
        except (TypeError, ValueError) as error:
            msg = (
                f"{self.name}: an event's creationDate is {moment!r} instead of epoch "
                "milliseconds; check that `wiki.v1_path` leads to version 1 of the API."
            )
            raise FatalAPIError(msg) from error


class Group(WikiStream):
    """Groups of users."""

    name = "wiki_group"
    version = 1
    path = "/group"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the group."),
        th.Property("type", th.StringType, description="Type of the object: group."),
        th.Property("name", th.StringType, description="Name of the group, may change."),
        th.Property("usageType", th.StringType, description="What the group is used for."),
        th.Property("managedBy", th.StringType, description="Who manages the group."),
        th.Property("resourceAri", th.StringType, description="Resource name of the group."),
        LINKS,
    ).to_dict()


class Pages(VersionedContentStream):
    """Pages with their current version."""

    name = "wiki_pages"
    version = 2
    path = "/pages"
    references = MappingProxyType({"spaceId": "wiki_space.id"})
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the page."),
        *CONTENT,
        th.Property("parentId", th.StringType, description="What the page lies under."),
        th.Property("parentType", th.StringType, description="Type of the parent: page, folder."),
        th.Property("position", th.IntegerType, description="Position among its siblings."),
        th.Property("ownerId", th.StringType, description="Account that owns the page."),
        th.Property("lastOwnerId", th.StringType, description="Account that owned it before."),
        th.Property("subtype", th.StringType, description="Subtype of the page, such as live."),
        th.Property(
            "sourceTemplateEntityId",
            th.StringType,
            description="Template the page was made from.",
        ),
    ).to_dict()


class BlogPosts(VersionedContentStream):
    """Blog posts with their current version."""

    name = "wiki_blog_posts"
    version = 2
    path = "/blogposts"
    references = MappingProxyType({"spaceId": "wiki_space.id"})
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the post."),
        *CONTENT,
    ).to_dict()


class Space(WikiStream):
    """Spaces, personal ones included."""

    name = "wiki_space"
    version = 2
    path = "/spaces"
    setting_params = MappingProxyType(
        {"description-format": "description_format", "include-icon": "include_icon"}
    )
    references = MappingProxyType({"homepageId": "wiki_pages.id"})
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the space."),
        th.Property("key", th.StringType, description="Short unique name, may change."),
        th.Property("name", th.StringType, description="Name of the space."),
        th.Property("type", th.StringType, description="Type: global, personal and others."),
        th.Property("status", th.StringType, description="State: current or archived."),
        th.Property("authorId", th.StringType, description="Account that created the space."),
        th.Property("spaceOwnerId", th.StringType, description="Account that owns the space."),
        th.Property("createdAt", th.DateTimeType, description="When the space was created."),
        th.Property("homepageId", th.StringType, description="Page the space opens with."),
        th.Property("currentActiveAlias", th.StringType, description="Name used in addresses."),
        th.Property(
            "description",
            OpenObject(
                th.Property("plain", TEXT, description="The description as plain text."),
                th.Property("view", TEXT, description="The description as HTML."),
            ),
            description="Description, in the format asked for.",
        ),
        th.Property(
            "icon",
            OpenObject(
                th.Property("path", th.StringType, description="Address of the icon."),
                th.Property(
                    "apiDownloadLink",
                    th.StringType,
                    description="Address of the icon in the API.",
                ),
            ),
            description="Icon, if asked for.",
        ),
        LINKS,
    ).to_dict()


WIKI = Api(
    name="wiki",
    title="Wiki",
    settings=(
        Setting(
            name="email",
            kind="string",
            secret=True,
            required=True,
            description="Login email, the user name of the requests.",
        ),
        Setting(
            name="api_token",
            kind="string",
            secret=True,
            required=True,
            description="API token of the login, the password of the requests.",
        ),
        Setting(
            name="base_url",
            kind="string",
            description="Address of the site.",
            example="https://example.atlassian.net",
        ),
        Setting(
            name="v1_path",
            kind="string",
            default="/v1",
            description="Path of version 1; `/wiki/rest/api` for the real service.",
        ),
        Setting(
            name="v2_path",
            kind="string",
            default="/v2",
            description="Path of version 2; `/wiki/api/v2` for the real service.",
        ),
        Setting(
            name="body_format",
            kind="string",
            default="storage",
            nullable=True,
            description="Sent as `body-format` for pages and blog posts; null sends none.",
        ),
        Setting(
            name="description_format",
            kind="string",
            default="plain",
            nullable=True,
            description="Sent as `description-format` for spaces; null sends none.",
        ),
        Setting(
            name="include_icon",
            kind="boolean",
            default=True,
            nullable=True,
            description="Sent as `include-icon` for spaces; null sends none.",
        ),
        Setting(
            name="sort_by",
            kind="string",
            nullable=True,
            description="Sent as `sort` for pages and blog posts, instead of the one that fits "
            "the replication; null sends none.",
        ),
    ),
    authenticate=lambda block: Basic(block["email"], block["api_token"]),
    account=lambda block: block["email"],
    page_size=25,
    streams=(Audit, Group, Pages, BlogPosts, Space),
)
