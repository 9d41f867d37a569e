"""Projects, and the meetings with customers."""

from __future__ import annotations

from types import MappingProxyType

from singer_sdk import typing as th

from tap_analytics.streams.schema_types import OpenObject, date_time, field, number, string
from tap_analytics.streams.success.objects import (
    CREATED,
    EXTERNAL_ID,
    NAME,
    STRINGS,
    TRAITS,
    UPDATED,
)
from tap_analytics.streams.success.stream import ArchivedStream, SuccessStream

OBJECTS = th.ArrayType(OpenObject(nullable=True))


class Projects(ArchivedStream):
    """Projects for accounts and organizations."""

    name = "success_projects"
    path = "/projects"
    selected_by_default = False
    references = MappingProxyType(
        {
            "accountId": "success_accounts.id",
            "organizationId": "success_organizations.id",
            "templateId": "success_project_templates.id",
            "ownedByVitallyUserId": "success_admins.id",
            "projectCategoryId": "success_project_categories.id",
        }
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the project.", required=True),
        CREATED,
        UPDATED,
        NAME,
        string("accountId", "Account the project is for."),
        string("organizationId", "Organization the project is for."),
        string("templateId", "Template it was made from."),
        number("durationInDays", "Days it takes, up to today if it isn't complete."),
        string("targetStartDate", "Day it shall start."),
        string("actualStartDate", "Day it started."),
        string("targetCompletionDate", "Day it shall be done."),
        string("actualCompletionDate", "Day it was done."),
        string("ownedByVitallyUserId", "Admin who owns it."),
        string("projectCategoryId", "Category of the project."),
        string("projectStatusId", "State of the project."),
        date_time("archivedAt", "When it was deleted."),
        TRAITS,
    ).to_dict()


class ProjectTemplates(SuccessStream):
    """Templates of projects."""

    name = "success_project_templates"
    path = "/projectTemplates"
    selected_by_default = False
    references = MappingProxyType({"projectCategoryId": "success_project_categories.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the template.", required=True),
        CREATED,
        UPDATED,
        NAME,
        string("description", "Description."),
        string("projectName", "Name of the projects made from it."),
        string("projectCategoryId", "Category of the projects made from it."),
    ).to_dict()


class CategoryStream(SuccessStream):
    """Base of the lists of categories."""

    selected_by_default = False
    schema = th.PropertiesList(
        string("id", "Identifier of the category.", required=True), CREATED, UPDATED, NAME
    ).to_dict()


class ProjectCategories(CategoryStream):
    """Categories of projects."""

    name = "success_project_categories"
    path = "/projectCategories"


class NoteCategories(CategoryStream):
    """Categories of notes."""

    name = "success_note_categories"
    path = "/noteCategories"


class TaskCategories(CategoryStream):
    """Categories of tasks."""

    name = "success_task_categories"
    path = "/taskCategories"


class Meetings(ArchivedStream):
    """Meetings with customers."""

    name = "success_meetings"
    path = "/meetings"
    selected_by_default = False
    references = MappingProxyType(
        {"accountIds": "success_accounts.id", "organizationIds": "success_organizations.id"}
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the meeting.", required=True),
        CREATED,
        UPDATED,
        EXTERNAL_ID,
        string("title", "Title."),
        string("description", "Description."),
        string("location", "Place."),
        string("startDate", "Day it starts, if it has no time."),
        date_time("startDateTime", "When it starts."),
        string("startTimeZone", "Time zone of the start."),
        string("endDate", "Day it ends, if it has no time."),
        date_time("endDateTime", "When it ends."),
        string("endTimeZone", "Time zone of the end."),
        string("externalStatus", "State in the calendar it came from."),
        string("source", "Integration it came from."),
        string("recordingUrl", "Address of the recording."),
        string("recordingUrlFormatted", "Address of the recording, as it is shown."),
        string("joiningInstructionsUri", "Address of the instructions to join."),
        string("videoConferenceUri", "Address of the video conference."),
        field("phoneConferenceNumbers", STRINGS, "Numbers to dial in."),
        string("conferenceSolution", "Platform of the conference."),
        string("summary", "Summary."),
        field("keyPoints", STRINGS, "Key points."),
        string("riskAssessment", "Assessment of risks."),
        field("participants", OBJECTS, "Who takes part, and in which role."),
        field("accountIds", STRINGS, "Accounts of the participants."),
        field("accounts", OBJECTS, "The accounts themselves."),
        field("organizationIds", STRINGS, "Organizations of the participants."),
        field("organizations", OBJECTS, "The organizations themselves."),
        field("notes", OBJECTS, "Notes about the meeting."),
        field("tasks", OBJECTS, "Tasks that came out of it."),
        date_time("archivedAt", "When it was deleted."),
        TRAITS,
    ).to_dict()
