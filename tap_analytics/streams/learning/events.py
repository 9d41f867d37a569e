"""What people did: lessons they viewed and quizzes they completed, as events."""

from __future__ import annotations

import functools
import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.pagination import PageNumber
from tap_analytics.records.digests import record_hash
from tap_analytics.streams.dependent import DependentStream
from tap_analytics.streams.learning.objects import relationships
from tap_analytics.streams.learning.stream import ChildStream, LearningStream
from tap_analytics.streams.schema_types import boolean, date_time, number, string

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination import PageToken


class EventStream(LearningStream):
    """Base of streams of events, which are added and never change."""

    selected_by_default = False
    replication_key = "created_at"
    replication_unit = "iso"


class ActivityEvents(EventStream):
    """Events of people at activities, such as a lesson that was viewed."""

    name = "learning_activity_events"
    path = "/events"
    # Events have no id.
    primary_keys = ("record_hash",)
    related = ("person", "activity")
    references = MappingProxyType({"person_id": "learning_people.id"})
    schema = th.PropertiesList(
        string("record_hash", "SHA-256 of the event as received: it has no id.", required=True),
        string("type", "What happened, such as learner_viewed_activity_events."),
        string("person_id", "Person who did it."),
        string("activity_id", "Activity it happened at."),
        date_time("created_at", "When it happened."),
        relationships(person="Person who did it.", activity="Activity it happened at."),
    ).to_dict()

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        lifted = super().post_process(row, context) or {}
        return {**lifted, "record_hash": record_hash(row)}


class QuizAttempts(EventStream):
    """Completed quizzes, as far as the log of sent webhooks goes back."""

    name = "learning_quiz_attempts"
    path = "/webhooks"
    paging = PageNumber(page_param="page", base_page=1, limit=50)
    related = ("quiz", "course", "person", "activity")
    references = MappingProxyType(
        {
            "quiz_id": "learning_quizzes.id",
            "course_id": "learning_courses.id",
            "person_id": "learning_people.id",
        }
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the message, of which each webhook has one.", required=True),
        string("event_id", "Identifier of the event."),
        string("type", "Kind of the event: quiz_completed_events."),
        string("quiz_attempt_uuid", "Identifier of the attempt."),
        string("quiz_id", "Quiz that was completed."),
        string("course_id", "Course the quiz is part of."),
        string("person_id", "Person who completed it."),
        string("activity_id", "Activity of the course that the quiz is."),
        number("value", "Result."),
        number("minimum_passing_score", "Result needed to pass."),
        number("attempts_remaining", "Attempts that are left."),
        date_time("created_at", "When the quiz was completed."),
        relationships(**{name: f"The {name}." for name in related}),
    ).to_dict()

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: PageToken | None
    ) -> PageToken:
        params = super().get_url_params(context, next_page_token)
        return {"filter[type][in]": "quiz_completed_events", **params}

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        attributes = row.get("attributes")
        payload = attributes.get("payload") if isinstance(attributes, dict) else None
        event = payload.get("data") if isinstance(payload, dict) else None
        if not isinstance(event, dict):
            return super().post_process(row, context)
        message = {**event, "id": row["id"], "event_id": event.get("id")}
        return super().post_process(message, context)

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        attempt, created = record.get("quiz_attempt_uuid"), record.get("created_at")
        if attempt is None:
            return None
        return {
            "quiz_attempt_uuid": attempt,
            **({"attempt_created_at": created} if created else {}),
        }


class QuizAttemptAnswers(DependentStream, ChildStream):
    """Answers of people in the quizzes they completed."""

    name = "learning_quiz_attempt_answers"
    path = "/quiz_attempts/{quiz_attempt_uuid}/answers"
    parent_stream_type = QuizAttempts
    primary_keys = ("quiz_attempt_uuid", "id")
    # The log that names the attempts forgets them, so the stream is no full table.
    replication_key = "attempt_created_at"
    replication_unit = "iso"
    parent_time = "created_at"
    related = ("question",)
    schema = th.PropertiesList(
        string("quiz_attempt_uuid", "Attempt the answer is part of.", required=True),
        string("id", "Identifier of the answer.", required=True),
        date_time("attempt_created_at", "When the quiz was completed."),
        string("type", "Kind of the object: learner_answers."),
        string("question_id", "Question that was answered."),
        string("value", "The answer."),
        boolean("correct", "Whether it is right."),
        date_time("created_at", "When it was given."),
        relationships(question="The question."),
    ).to_dict()

    @functools.cached_property
    def _messages(self) -> dict[str, str]:
        """The first message of each attempt: each webhook has one of its own."""
        return {}

    @override
    def contexts_below(
        self, parent: AnalyticsStream, record: Record, context: Context | None
    ) -> Iterable[Context]:
        """Yield the context of an attempt, for the first message that tells of it."""
        message = record["id"]
        if self._messages.setdefault(record.get("quiz_attempt_uuid", ""), message) == message:
            yield from super().contexts_below(parent, record, context)
