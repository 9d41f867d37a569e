"""Wiki: the audit log, groups, pages, blog posts and spaces.

Basic auth, offset pages in version 1 and cursors in version 2, rows under `results`. The API has
neither a key for audit events nor a top-level modification time of pages: both are derived from the
row.
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
from tap_analytics.streams.schema_types import (
    OpenObject,
    anything,
    boolean,
    date_time,
    field,
    integer,
    string,
)
from tap_analytics.transport.auth import Basic

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken

#: Keys sorted, no spaces, UTF-8, a Decimal as the number it was decoded from.
CANONICAL_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="number")

STRINGS = th.ArrayType(th.StringType(nullable=True))

VERSION = OpenObject(
    date_time("createdAt", "When this version was saved."),
    string("message", "Comment of whoever saved it."),
    integer("number", "Number of the version, from 1."),
    boolean("minorEdit", "Whether watchers were not notified."),
    string("authorId", "Account that saved this version."),
    string("ncsStepVersion", "Step of collaborative editing."),
    field("contributorIds", STRINGS, "Accounts that contributed to this version."),
)

TEXT = OpenObject(string("representation", "Format of the text."), string("value", "The text."))
BODY = OpenObject(
    field("storage", TEXT, "The text as it is stored."),
    field("atlas_doc_format", TEXT, "The text as a document tree."),
)

NAMED_OBJECT = OpenObject(
    string("name", "Name of the object."),
    string("objectType", "Type of the object."),
    nullable=True,
)
CHANGED_VALUE = OpenObject(
    string("name", "What was changed."),
    string("oldValue", "Value before."),
    string("newValue", "Value after."),
    string("hiddenOldValue", "Identifier behind the old value."),
    string("hiddenNewValue", "Identifier behind the new value."),
    nullable=True,
)
AUTHOR = OpenObject(
    string("type", "Type of the author: user."),
    string("displayName", "Name shown."),
    anything("operations", "Operations, as a list or an object."),
    string("username", "Former user name."),
    string("userKey", "Former user key."),
    string("accountId", "Account, absent for system events."),
    string("accountType", "Type of the account."),
    string("publicName", "Name shown to the public."),
    boolean("externalCollaborator", "Former mark of a guest."),
    boolean("isExternalCollaborator", "Former mark of a guest."),
    boolean("isGuest", "Whether the author is a guest."),
)

LINKS = field("_links", OpenObject(), "Addresses of the object, relative to the site.")

#: Common fields of pages and blog posts.
CONTENT = (
    string("status", "State: current, archived and others."),
    string("title", "Title."),
    string("spaceId", "Space it belongs to."),
    string("authorId", "Account that created it."),
    date_time("createdAt", "When it was created."),
    date_time("updatedAt", "When it last changed: the time of its version."),
    field("version", VERSION, "The current version."),
    field("body", BODY, "The text, in the format asked for."),
    LINKS,
)


class WikiStream(AnalyticsStream):
    """Base of the wiki's streams."""

    api = "wiki"
    records_path = ("results",)
    # Version 2 has only cursors and ignores `start`; a server without links supports `start`.
    paging = LinkedOffset(offset_param="start", total_path=None)
    primary_keys: tuple[str, ...] = ("id",)
    #: Version of the API.
    version: t.ClassVar[int]

    @property
    @override
    def url_base(self) -> str:
        prefix = self.connection.settings[f"v{self.version}_path"]
        return f"{super().url_base}/{prefix.strip('/')}"


class VersionedContentStream(WikiStream):
    """Base of streams with the modification time in `version`."""

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
    # Bulk changes log several events in one millisecond, so the time is not a key.
    primary_keys = ("creationDate", "record_hash")
    replication_key = "creationDate"
    replication_unit = "epoch_ms"
    schema = th.PropertiesList(
        integer("creationDate", "Time of the event, epoch milliseconds.", required=True),
        string(
            "record_hash",
            "SHA-256 of the event as received: tells events of one millisecond apart.",
            required=True,
        ),
        field("author", AUTHOR, "Who caused the event."),
        string("remoteAddress", "Network address of the author."),
        string("summary", "The event in short."),
        string("description", "The event in more words."),
        string("category", "Category of the event."),
        boolean("sysAdmin", "Whether a system admin acted."),
        boolean("superAdmin", "Whether a super admin acted."),
        field("affectedObject", NAMED_OBJECT, "Object the event happened to."),
        field("changedValues", th.ArrayType(CHANGED_VALUE), "What was changed."),
        field("associatedObjects", th.ArrayType(NAMED_OBJECT), "Other objects concerned."),
    ).to_dict()

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        # Both bounds of the API are inclusive; the end of a window is exclusive.
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
        string("id", "Identifier of the group.", required=True),
        string("type", "Type of the object: group."),
        string("name", "Name of the group, may change."),
        string("usageType", "What the group is used for."),
        string("managedBy", "Who manages the group."),
        string("resourceAri", "Resource name of the group."),
        LINKS,
    ).to_dict()


class Pages(VersionedContentStream):
    """Pages with their current version."""

    name = "wiki_pages"
    version = 2
    path = "/pages"
    references = MappingProxyType({"spaceId": "wiki_space.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the page.", required=True),
        *CONTENT,
        string("parentId", "What the page lies under."),
        string("parentType", "Type of the parent: page, folder."),
        integer("position", "Position among its siblings."),
        string("ownerId", "Account that owns the page."),
        string("lastOwnerId", "Account that owned it before."),
        string("subtype", "Subtype of the page, such as live."),
        string("sourceTemplateEntityId", "Template the page was made from."),
    ).to_dict()


class BlogPosts(VersionedContentStream):
    """Blog posts with their current version."""

    name = "wiki_blog_posts"
    version = 2
    path = "/blogposts"
    references = MappingProxyType({"spaceId": "wiki_space.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the post.", required=True), *CONTENT
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
        string("id", "Identifier of the space.", required=True),
        string("key", "Short unique name, may change."),
        string("name", "Name of the space."),
        string("type", "Type: global, personal and others."),
        string("status", "State: current or archived."),
        string("authorId", "Account that created the space."),
        string("spaceOwnerId", "Account that owns the space."),
        date_time("createdAt", "When the space was created."),
        string("homepageId", "Page the space opens with."),
        string("currentActiveAlias", "Name used in addresses."),
        field(
            "description",
            OpenObject(
                field("plain", TEXT, "The description as plain text."),
                field("view", TEXT, "The description as HTML."),
            ),
            "Description, in the format asked for.",
        ),
        field(
            "icon",
            OpenObject(
                string("path", "Address of the icon."),
                string("apiDownloadLink", "Address of the icon in the API."),
            ),
            "Icon, if asked for.",
        ),
        LINKS,
    ).to_dict()


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
        Setting("base_url", "Address of the site.", example="https://example.atlassian.net"),
        Setting(
            "v1_path", "Path of version 1; `/wiki/rest/api` for the real service.", default="/v1"
        ),
        Setting(
            "v2_path", "Path of version 2; `/wiki/api/v2` for the real service.", default="/v2"
        ),
        Setting(
            "body_format",
            "Sent as `body-format` for pages and blog posts; null sends none.",
            default="storage",
            nullable=True,
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
            "Sent as `sort` for pages and blog posts, instead of the one that fits "
            "the replication; null sends none.",
            nullable=True,
        ),
    ),
    authenticate=lambda block: Basic(block["email"], block["api_token"]),
    account=lambda block: block["email"],
    page_size=25,
    streams=(Audit, Group, Pages, BlogPosts, Space),
)
