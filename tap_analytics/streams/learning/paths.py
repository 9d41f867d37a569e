"""Learning paths, which are courses in an order, and the enrollments in them."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.streams.learning.objects import envelope
from tap_analytics.streams.learning.stream import ChildStream, LearningStream
from tap_analytics.streams.schema_types import date_time, number, string

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record


class LearningPaths(LearningStream):
    """Learning paths."""

    name = "learning_learning_paths"
    path = "/learning-paths"
    selected_by_default = False
    schema = th.PropertiesList(
        string("id", "Identifier of the learning path.", required=True),
        string("type", "Kind of the object: learning_paths."),
        string("name", "Name of the learning path."),
        string("description", "Description, may be HTML."),
        string("navigation_mode", "How people move through it, such as linear."),
        string("picture_url", "Address of the picture."),
        string("learning_path_enrollment_link", "Address where people enroll."),
        string("share_learning_path_link", "Address to share."),
        date_time("created_at", "When the learning path was created."),
        date_time("updated_at", "When the learning path last changed."),
        *envelope(),
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"learning_path_id": record["id"]}


class LearningPathEnrollments(ChildStream):
    """Enrollments of people in learning paths, with their progress."""

    name = "learning_learning_path_enrollments"
    path = "/learning-paths/{learning_path_id}/enrollments"
    parent_stream_type = LearningPaths
    primary_keys = ("learning_path_id", "id")
    related = ("person",)
    references = MappingProxyType(
        {"learning_path_id": "learning_learning_paths.id", "person_id": "learning_people.id"}
    )
    schema = th.PropertiesList(
        string("learning_path_id", "Learning path enrolled in.", required=True),
        string("id", "Identifier of the enrollment within its path.", required=True),
        string("type", "Kind of the object: learning_path_enrollments."),
        string("person_id", "Person enrolled."),
        number("progress", "Progress in percent, 0 to 100."),
        date_time("enrolled_at", "When the person enrolled."),
        string("last_active_on", "Date, or date and time, of the last activity in the path."),
        *envelope(person="Person enrolled."),
    ).to_dict()
