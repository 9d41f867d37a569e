"""Objects nested in the rows of the wiki, and columns that several streams share."""

from __future__ import annotations

from singer_sdk import typing as th

from tap_analytics.streams.schema_types import (
    OpenObject,
    anything,
    boolean,
    date_time,
    field,
    integer,
    string,
)

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

#: Common fields of footer and inline comments.
COMMENT = (
    string("id", "Identifier of the comment.", required=True),
    string("status", "State of the comment: current and others."),
    string("title", "Title, made of that of the page."),
    string("pageId", "Page it is on, if on a page."),
    string("blogPostId", "Blog post it is on, if on a blog post."),
    string("parentCommentId", "Comment it replies to."),
    field("version", VERSION, "The current version, with its author."),
    field("body", BODY, "The text, in the format asked for."),
    string("resolutionStatus", "State of the thread: open, reopened, resolved, dangling."),
    LINKS,
)

PICTURE = OpenObject(
    string("path", "Address of the picture, relative to the site."),
    integer("width", "Width in pixels."),
    integer("height", "Height in pixels."),
    boolean("isDefault", "Whether the account has none of its own."),
)

#: Common fields of labels.
LABEL = (
    string("name", "Name of the label."),
    string("prefix", "Kind of the label: global, my, team or system."),
)
