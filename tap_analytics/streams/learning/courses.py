"""Courses and the enrollments in them."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.streams.learning.objects import STRINGS, TO_MANY, TO_ONE, links
from tap_analytics.streams.learning.stream import ChangingStream, LearningStream
from tap_analytics.streams.schema_types import OpenObject, boolean, date_time, field, number, string

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record


class Courses(ChangingStream):
    """Courses in every state, from draft to archived."""

    name = "learning_courses"
    path = "/courses"
    schema = th.PropertiesList(
        string("id", "Identifier of the course.", required=True),
        string("type", "Kind of the object: courses."),
        string("name", "Title of the course."),
        string("permalink", "Last part of the course's address."),
        string("status", "State: draft, live, archived and others."),
        string("full_description", "Description, may be HTML."),
        string("short_description", "Description in short."),
        string("list_image_url", "Address of the list picture."),
        string("ribbon", "Label laid over the list picture."),
        field("dependent_course_names", STRINGS, "Titles of courses that depend on this one."),
        number("enrollments_count", "Number of enrollments."),
        number("credential_achievement_count", "Number of credentials achieved."),
        boolean("unpublished_changes", "Whether there are changes not published yet."),
        date_time("created_at", "When the course was created."),
        date_time("updated_at", "When the course last changed."),
        field(
            "links",
            links(
                "self",
                "edit",
                "clone",
                "enroll",
                "archive",
                "unarchive",
                "publish",
                "preview",
                "builder",
                "enrollments",
            ),
            "Links of the course.",
        ),
        field(
            "relationships",
            OpenObject(
                field("instructor_partnerships", TO_MANY, "Partnerships of the instructors."),
                field("categories", TO_MANY, "Categories of the course."),
            ),
            "Objects related to the course.",
        ),
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"course_id": record["id"]}


class CourseEnrollments(LearningStream):
    """Enrollments of people in courses, with their progress."""

    name = "learning_course_enrollments"
    path = "/courses/{course_id}/enrollments"
    parent_stream_type = Courses
    # An enrollment's id is documented as unique within its course only.
    primary_keys = ("course_id", "id")
    references = MappingProxyType(
        {"course_id": "learning_courses.id", "person_id": "learning_people.id"}
    )
    schema = th.PropertiesList(
        string("course_id", "Course enrolled in.", required=True),
        string("id", "Identifier of the enrollment within its course.", required=True),
        string("type", "Kind of the object: course_enrollments."),
        string("person_id", "Person enrolled."),
        number("progress", "Progress in percent, 0 to 100."),
        date_time("enrolled_at", "When the person enrolled."),
        string("last_active_on", "Date, or date and time, of the last activity in the course."),
        field("links", links("self"), "Links of the enrollment."),
        field(
            "relationships",
            OpenObject(field("person", TO_ONE, "Person enrolled.")),
            "Objects related to the enrollment.",
        ),
    ).to_dict()

    _course_conflict_reported = False

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        lifted = super().post_process(row, context)
        if lifted is None:
            return None
        enrollment = dict(lifted)
        if context is not None:
            self._report_course_conflict(enrollment, course_id=context["course_id"])
            enrollment["course_id"] = context["course_id"]
        if enrollment.get("person_id") is None:
            person_id = _related_id(enrollment, relationship="person")
            if person_id is not None:
                enrollment["person_id"] = person_id
        return enrollment

    def _report_course_conflict(self, enrollment: Record, *, course_id: object) -> None:
        claimed = enrollment.get("course_id")
        if claimed is None or claimed == course_id or self._course_conflict_reported:
            return
        self._course_conflict_reported = True
        self.logger.warning(
            "%s: enrollment %s of course %s says its `course_id` is %s; the course it was listed "
            "under is kept, for it is the key. Further cases are not reported.",
            self.name,
            enrollment.get("id"),
            course_id,
            claimed,
        )


def _related_id(row: Record, *, relationship: str) -> object:
    """Return the id of a to-one relationship, None where any level of it is missing."""
    node: object = row
    for step in ("relationships", relationship, "data", "id"):
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node
