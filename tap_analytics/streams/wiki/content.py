"""Spaces, and what is written in them."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.records.notation import parse_iso
from tap_analytics.streams.schema_types import (
    OpenObject,
    boolean,
    date_time,
    field,
    integer,
    string,
)
from tap_analytics.streams.wiki.objects import (
    BODY,
    COMMENT,
    CONTENT,
    LABEL,
    LINKS,
    TEXT,
    VERSION,
)
from tap_analytics.streams.wiki.stream import StatusStream, VersionedContentStream, WikiStream

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record


class Pages(StatusStream):
    """Pages with their current version."""

    name = "wiki_pages"
    version = 2
    path = "/pages"
    hidden_statuses = ("trashed", "deleted")
    listed_statuses = ("archived",)
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

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        is_hidden = record.get("status") in self.hidden_statuses
        return None if is_hidden else {"page_id": record["id"]}


class BlogPosts(StatusStream):
    """Blog posts with their current version."""

    name = "wiki_blog_posts"
    version = 2
    path = "/blogposts"
    hidden_statuses = ("trashed", "deleted")
    references = MappingProxyType({"spaceId": "wiki_space.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the post.", required=True), *CONTENT
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        is_hidden = record.get("status") in self.hidden_statuses
        return None if is_hidden else {"blog_post_id": record["id"]}


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


class CommentStream(VersionedContentStream):
    """Base of the comments."""

    version = 2
    selected_by_default = False
    # Comments can't be sorted by id.
    stable_order = MappingProxyType({"sort": "created-date"})
    references = MappingProxyType({"pageId": "wiki_pages.id", "blogPostId": "wiki_blog_posts.id"})


class FooterComments(CommentStream):
    """Comments below pages, blog posts and attachments."""

    name = "wiki_footer_comments"
    path = "/footer-comments"
    schema = th.PropertiesList(
        *COMMENT,
        date_time("updatedAt", "When it last changed: the time of its version."),
        string("attachmentId", "Attachment it is on, if on an attachment."),
        string("customContentId", "Custom content it is on, if on any."),
    ).to_dict()


class InlineComments(CommentStream):
    """Comments on a passage of a page or blog post."""

    name = "wiki_inline_comments"
    path = "/inline-comments"
    # Whether a resolution makes a version isn't documented, so no order shows all changes.
    newest_first = MappingProxyType({})
    schema = th.PropertiesList(
        *COMMENT,
        date_time("updatedAt", "When it last changed: its version, or its resolution if later."),
        string("resolutionLastModifierId", "Account that last resolved or reopened it."),
        date_time("resolutionLastModifiedAt", "When it was last resolved or reopened."),
        field("properties", OpenObject(), "The passage, and its mark in the text."),
    ).to_dict()

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        changed = super().post_process(row, context) or row
        times = (changed.get("updatedAt"), row.get("resolutionLastModifiedAt"))
        moments = {time: parse_iso(time) for time in times if isinstance(time, str)}
        known = {time: moment for time, moment in moments.items() if moment is not None}
        return {**changed, "updatedAt": max(known, key=known.__getitem__)} if known else changed


class Attachments(StatusStream):
    """Files attached to pages and blog posts, without their content."""

    name = "wiki_attachments"
    version = 2
    path = "/attachments"
    listed_statuses = ("archived",)
    selected_by_default = False
    stable_order = MappingProxyType({"sort": "created-date"})
    setting_params = MappingProxyType({})
    references = MappingProxyType({"pageId": "wiki_pages.id", "blogPostId": "wiki_blog_posts.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the attachment.", required=True),
        string("status", "State: current, archived or trashed."),
        string("title", "Name of the file."),
        date_time("createdAt", "When it was attached."),
        date_time("updatedAt", "When it last changed: the time of its version."),
        string("pageId", "Page it is on, if on a page."),
        string("blogPostId", "Blog post it is on, if on a blog post."),
        string("customContentId", "Custom content it is on, if on any."),
        string("mediaType", "Media type of the file."),
        string("mediaTypeDescription", "Media type in words."),
        string("comment", "Comment of whoever attached it."),
        string("fileId", "Identifier of the file in texts."),
        integer("fileSize", "Size in bytes."),
        string("webuiLink", "Address of the attachment, relative to the site."),
        string("downloadLink", "Address of the file, relative to the site."),
        field("version", VERSION, "The current version."),
        LINKS,
    ).to_dict()


class Tasks(WikiStream):
    """Tasks in the text of pages and blog posts."""

    name = "wiki_tasks"
    version = 2
    path = "/tasks"
    selected_by_default = False
    replication_key = "updatedAt"
    replication_unit = "iso"
    setting_params = MappingProxyType({"body-format": "body_format"})
    references = MappingProxyType(
        {"spaceId": "wiki_space.id", "pageId": "wiki_pages.id", "blogPostId": "wiki_blog_posts.id"}
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the task.", required=True),
        string("localId", "Number of the task within its page or blog post."),
        string("spaceId", "Space it is in."),
        string("pageId", "Page it is on, if on a page."),
        string("blogPostId", "Blog post it is on, if on a blog post."),
        string("status", "State: complete or incomplete."),
        field("body", BODY, "The text, in the format asked for."),
        string("createdBy", "Account that created it."),
        string("assignedTo", "Account it is assigned to."),
        string("completedBy", "Account that completed it."),
        date_time("createdAt", "When it was created."),
        date_time("updatedAt", "When it last changed."),
        date_time("dueAt", "When it is due."),
        date_time("completedAt", "When it was completed."),
    ).to_dict()


class Labels(WikiStream):
    """Labels of the site."""

    name = "wiki_labels"
    version = 2
    path = "/labels"
    selected_by_default = False
    schema = th.PropertiesList(
        string("id", "Identifier of the label.", required=True), *LABEL
    ).to_dict()


class PageLabels(WikiStream):
    """Labels of each page."""

    name = "wiki_page_labels"
    version = 2
    path = "/pages/{page_id}/labels"
    parent_stream_type = Pages
    selected_by_default = False
    primary_keys = ("page_id", "id")
    references = MappingProxyType({"page_id": "wiki_pages.id", "id": "wiki_labels.id"})
    schema = th.PropertiesList(
        string("page_id", "Page that carries the label.", required=True),
        string("id", "Identifier of the label.", required=True),
        *LABEL,
    ).to_dict()


class BlogPostLabels(WikiStream):
    """Labels of each blog post."""

    name = "wiki_blog_post_labels"
    version = 2
    path = "/blogposts/{blog_post_id}/labels"
    parent_stream_type = BlogPosts
    selected_by_default = False
    primary_keys = ("blog_post_id", "id")
    references = MappingProxyType({"blog_post_id": "wiki_blog_posts.id", "id": "wiki_labels.id"})
    schema = th.PropertiesList(
        string("blog_post_id", "Blog post that carries the label.", required=True),
        string("id", "Identifier of the label.", required=True),
        *LABEL,
    ).to_dict()


class PageVersions(WikiStream):
    """Versions of each page, without their texts."""

    name = "wiki_page_versions"
    version = 2
    path = "/pages/{page_id}/versions"
    parent_stream_type = Pages
    selected_by_default = False
    primary_keys = ("page_id", "number")
    references = MappingProxyType({"page_id": "wiki_pages.id"})
    schema = th.PropertiesList(
        string("page_id", "Page it is a version of.", required=True),
        integer("number", "Number of the version, from 1.", required=True),
        date_time("createdAt", "When this version was saved."),
        string("message", "Comment of whoever saved it."),
        boolean("minorEdit", "Whether watchers were not notified."),
        string("authorId", "Account that saved this version."),
        field("page", OpenObject(string("title", "Title.")), "The page as of this version."),
    ).to_dict()
