"""The lists beyond the specifications, by path.

Their records are in `Dataset.extra`; the column with the id of their parent is in no response.
"""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.dataset import Dataset, Row


class ExtraList(t.NamedTuple):
    """A list of an API; a placeholder in its path is the column with the parent's id."""

    stream: str
    #: Below the prefix of the API, or of the account.
    path: str
    #: Stream of the parents.
    parent: str = ""
    key: str = "id"

    @property
    def column(self) -> str:
        """The column with the parent's id; empty without a parent."""
        return self.path.partition("{")[2].partition("}")[0]

    def match(self, path: str) -> re.Match[str] | None:
        """Match a path; the group is the parent's id."""
        return re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", self.path), path)


EXTRA = (
    ExtraList("learning_course_activities", "/courses/{course_id}/activities", "learning_courses"),
    ExtraList("learning_learning_paths", "/learning-paths"),
    ExtraList(
        "learning_learning_path_enrollments",
        "/learning-paths/{learning_path_id}/enrollments",
        "learning_learning_paths",
    ),
    ExtraList("learning_categories", "/categories"),
    ExtraList("learning_quizzes", "/quizzes"),
    ExtraList("learning_groups", "/groups"),
    ExtraList("learning_group_memberships", "/groups/{group_id}/memberships", "learning_groups"),
    ExtraList("learning_activity_events", "/events", key="record_hash"),
    ExtraList("learning_transcripts", "/transcripts/{person_id}", "learning_people"),
    ExtraList("learning_quiz_attempts", "/webhooks"),
    ExtraList(
        "learning_quiz_attempt_answers",
        "/quiz_attempts/{quiz_attempt_uuid}/answers",
        "learning_quiz_attempts",
    ),
    ExtraList(
        "experimentation_campaign_variations",
        "/campaigns/{campaign_id}/variations",
        "experimentation_campaigns",
    ),
    ExtraList(
        "experimentation_campaign_goals",
        "/campaigns/{campaign_id}/goals",
        "experimentation_campaigns",
    ),
    ExtraList(
        "experimentation_campaign_sections",
        "/campaigns/{campaign_id}/sections",
        "experimentation_campaigns",
    ),
    ExtraList(
        "experimentation_campaign_details",
        "/campaigns/{campaign_id}",
        "experimentation_campaigns",
        key="campaign_id",
    ),
    ExtraList("experimentation_drafts", "/drafts", key="draftId"),
    ExtraList("experimentation_metric_reports", "/insights-metrics"),
    ExtraList("experimentation_projects", "/projects"),
    ExtraList("experimentation_features", "/features"),
    ExtraList("experimentation_websites", "/websites"),
    ExtraList("success_organizations", "/organizations"),
    ExtraList("success_nps_responses", "/npsResponses"),
    ExtraList("success_messages", "/conversations/{conversationId}", "success_conversations"),
    ExtraList("success_projects", "/projects"),
    ExtraList("success_project_templates", "/projectTemplates"),
    ExtraList("success_project_categories", "/projectCategories"),
    ExtraList("success_note_categories", "/noteCategories"),
    ExtraList("success_task_categories", "/taskCategories"),
    ExtraList("success_meetings", "/meetings"),
    ExtraList("success_custom_fields", "/customFields", key="path"),
    ExtraList("success_custom_objects", "/customObjects"),
    ExtraList(
        "success_custom_object_instances",
        "/customObjects/{custom_object_id}/instances",
        "success_custom_objects",
    ),
    ExtraList("wiki_footer_comments", "/v2/footer-comments"),
    ExtraList("wiki_inline_comments", "/v2/inline-comments"),
    ExtraList("wiki_attachments", "/v2/attachments"),
    ExtraList("wiki_tasks", "/v2/tasks"),
    ExtraList("wiki_labels", "/v2/labels"),
    ExtraList("wiki_blog_post_labels", "/v2/blogposts/{blog_post_id}/labels", "wiki_blog_posts"),
    ExtraList("wiki_page_versions", "/v2/pages/{page_id}/versions", "wiki_pages", key="number"),
    ExtraList("wiki_page_labels", "/v2/pages/{page_id}/labels", "wiki_pages"),
    ExtraList(
        "wiki_group_members", "/v1/group/{group_id}/membersByGroupId", "wiki_group", key="accountId"
    ),
)


def find(api: str, path: str, dataset: Dataset) -> tuple[ExtraList, list[Row]] | None:
    """Return the list at a path of an API with its rows, or None.

    Raises `KeyError` where the path names a parent that doesn't exist.
    """
    for each in EXTRA:
        if each.stream.startswith(f"{api}_") and (match := each.match(path)):
            parent = match[1] if each.parent else None
            if parent is not None and parent not in ids(dataset, each.parent):
                raise KeyError(parent)
            return each, [
                {name: value for name, value in row.items() if name != each.column}
                for row in dataset.extra[each.stream]
                if parent is None or str(row[each.column]) == parent
            ]
    return None


def existing(dataset: Dataset, stream: str) -> list[Row]:
    """Return the rows of a list, without those of parents that were deleted."""
    [found] = [each for each in EXTRA if each.stream == stream]
    rows = dataset.extra[stream]
    if not found.parent:
        return rows
    parents = ids(dataset, found.parent)
    return [row for row in rows if str(row[found.column]) in parents]


def ids(dataset: Dataset, stream: str) -> set[str]:
    """Return the ids of a stream's rows."""
    rows = (dataset.tables | dataset.extra)[stream]
    if stream == "learning_quiz_attempts":
        return {attempt_of(row)["quiz_attempt_uuid"] for row in rows}
    return {str(row["id"]) for row in rows}


def attempt_of(message: Row) -> Row:
    """Return the attributes of the attempt of a quiz that a message tells of."""
    found: Row = message["attributes"]["payload"]["data"]["attributes"]
    return found
