"""Learning platform: people, courses and their enrollments.

Header key, numbered pages (or `links.next`), rows under `data`. Rows are JSON:API resource
objects: members of `attributes` become columns beside `id` and `type`; flat rows are unchanged.
"""

from __future__ import annotations

from tap_analytics.config.settings import Setting
from tap_analytics.streams.api import Api
from tap_analytics.streams.learning.courses import (
    Categories,
    CourseActivities,
    CourseEnrollments,
    Courses,
    Quizzes,
)
from tap_analytics.streams.learning.events import ActivityEvents, QuizAttemptAnswers, QuizAttempts
from tap_analytics.streams.learning.paths import LearningPathEnrollments, LearningPaths
from tap_analytics.streams.learning.people import GroupMemberships, Groups, People, Transcripts
from tap_analytics.transport.auth import ApiKeyHeader
from tap_analytics.transport.retry import RetryPolicy

LEARNING = Api(
    name="learning",
    title="Learning platform",
    settings=(
        Setting(
            "api_key",
            "API key of the learning platform, sent as `X-Api-Key`.",
            secret=True,
            required=True,
        ),
        Setting(
            "base_url",
            "Address of the API with its version.",
            example="https://api.northpass.com/v2",
        ),
    ),
    authenticate=lambda block: ApiKeyHeader("X-Api-Key", block["api_key"]),
    page_size=100,
    requests_per_second=10,
    retry=RetryPolicy(max_retries=3, backoff_factor=5),
    streams=(
        People,
        Courses,
        CourseEnrollments,
        CourseActivities,
        LearningPaths,
        LearningPathEnrollments,
        Categories,
        Quizzes,
        Groups,
        GroupMemberships,
        ActivityEvents,
        Transcripts,
        QuizAttempts,
        QuizAttemptAnswers,
    ),
)
