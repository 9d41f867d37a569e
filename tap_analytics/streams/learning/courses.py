"""Courses: the enrollments in them, and the lessons they are made of."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.streams.learning.objects import STRINGS, TO_MANY, TO_ONE, envelope, links
from tap_analytics.streams.learning.stream import ChangingStream, ChildStream, LearningStream
from tap_analytics.streams.schema_types import (
    OpenObject,
    boolean,
    date_time,
    field,
    integer,
    number,
    string,
)

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record


class Courses(ChangingStream):
    """Courses in every state, from draft to archived."""

    name = "learning_courses"
    path = "/courses"
    references = MappingProxyType({"relationships.categories.data.id": "learning_categories.id"})
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


class CourseEnrollments(ChildStream):
    """Enrollments of people in courses, with their progress."""

    selected_by_default = True
    name = "learning_course_enrollments"
    path = "/courses/{course_id}/enrollments"
    parent_stream_type = Courses
    related = ("person",)
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


class CourseActivities(ChildStream):
    """Activities of courses: their lessons and quizzes."""

    name = "learning_course_activities"
    path = "/courses/{course_id}/activities"
    parent_stream_type = Courses
    primary_keys = ("course_id", "id")
    references = MappingProxyType({"course_id": "learning_courses.id"})
    schema = th.PropertiesList(
        string("course_id", "Course the activity is part of.", required=True),
        string("id", "Identifier of the activity.", required=True),
        string("type", "Kind of the object: activities."),
        string("title", "Title of the activity."),
        *envelope(),
    ).to_dict()


class Categories(LearningStream):
    """Categories of courses."""

    name = "learning_categories"
    path = "/categories"
    selected_by_default = False
    schema = th.PropertiesList(
        string("id", "Identifier of the category.", required=True),
        string("type", "Kind of the object: categories."),
        string("name", "Name of the category."),
        date_time("created_at", "When the category was created."),
        date_time("updated_at", "When the category last changed."),
        *envelope(),
    ).to_dict()


class Quizzes(LearningStream):
    """Quizzes of all courses."""

    name = "learning_quizzes"
    path = "/quizzes"
    selected_by_default = False
    schema = th.PropertiesList(
        string("id", "Identifier of the quiz.", required=True),
        string("type", "Kind of the object: quizzes."),
        string("name", "Name of the quiz."),
        string("quiz_type", "Type of the quiz, such as Quizzes::Static."),
        integer("legacy_id", "Former number of the quiz."),
        date_time("created_at", "When the quiz was created."),
        *envelope(),
    ).to_dict()
