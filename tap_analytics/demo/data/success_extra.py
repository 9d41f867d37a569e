"""The success platform's records beyond the specification.

Organizations, projects, meetings, answers, messages, and objects that the customer defined.
"""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data.dataset import LAST_DAY, Row, SeededRandom, iso_ms

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_analytics.demo.data.dataset import Dataset

DAY = 86_400
GROUPS = ("Northern Lines", "Étoile Group", "Harbour Trust")
CATEGORIES = {"note": ("Call", "Meeting"), "task": ("Chore",), "project": ("Onboarding", "Upsell")}
#: Fields by the objects that have them: name in `traits`, label, type.
FIELDS = {
    "accounts": (
        ("plan", "Plan", "string"),
        ("seats", "Seats", "number"),
        ("onboarded", "Onboarded", "boolean"),
        ("vitally.custom.renewalStage", "Renewal stage", "singleSelect"),
        ("crm.contract_start", "Contract start", "datetime"),
    ),
    "organizations": (("vitally.custom.region", "Région", "string"),),
    "users": (("role", "Role", "string"),),
    "tasks": (),
    "notes": (("vitally.custom.mood", "Mood", "string"),),
    "projects": (("vitally.custom.nextStep", "Next step", "textarea"),),
    "conversations": (("zendesk.status", "Status", "string"),),
    "team": (),
}


def organization_ids(dataset: Dataset) -> list[str]:
    """Return the ids of the organizations, to which accounts refer."""
    return [dataset.rng(f"organization ids/{number}").uuid() for number in range(len(GROUPS))]


def fill(dataset: Dataset) -> None:
    """Add what belongs to the accounts, users, admins and conversations there are."""
    accounts, admins = dataset.tables["success_accounts"], dataset.tables["success_admins"]
    users = dataset.tables["success_users"]
    categories = {kind: _categories(dataset, kind) for kind in CATEGORIES}
    templates = [_template(dataset.rng("templates"), categories["project"][0])]
    rng = dataset.rng("projects")
    objects = [_custom_object(dataset, number) for number in range(2)]
    organizations = _organizations(dataset, accounts=accounts, admins=admins)
    of = {"organizationId": organizations[1]["id"]}
    dataset.extra |= {
        "success_organizations": organizations,
        "success_nps_responses": _responses(dataset, users),
        "success_messages": _messages(dataset, users=users, admins=admins),
        "success_projects": [
            _project(rng, number, account=rng.choice(accounts), admin=rng.choice(admins))
            | {"templateId": templates[0]["id"], CATEGORY: templates[0][CATEGORY], **of}
            for number in range(6)
        ],
        "success_project_templates": templates,
        "success_project_categories": categories["project"],
        "success_note_categories": categories["note"],
        "success_task_categories": categories["task"],
        "success_meetings": [
            _meeting(rng, number, account=rng.choice(accounts), admin=rng.choice(admins))
            | {"organizationIds": [organizations[1]["id"]]}
            for number in range(5)
        ],
        "success_custom_fields": _custom_fields(dataset),
        "success_custom_objects": objects,
        "success_custom_object_instances": [
            _instance(rng, number, of=each, account=rng.choice(accounts), admin=rng.choice(admins))
            | of
            for each in objects
            for number in range(4)
        ],
    }


CATEGORY = "projectCategoryId"


def _organizations(
    dataset: Dataset, *, accounts: Sequence[Row], admins: Sequence[Row]
) -> list[Row]:
    return [
        _organization(dataset.rng(f"organizations/{number}"), number, admins)
        | {
            "id": identity,
            "accountsCount": sum(each["organizationId"] == identity for each in accounts),
        }
        for number, identity in enumerate(organization_ids(dataset))
    ]


def _responses(dataset: Dataset, users: Sequence[Row]) -> list[Row]:
    return [
        _response(dataset.rng(f"nps/{user['id']}"), user)
        for user in users
        if user["npsLastScore"] is not None
    ]


def _custom_fields(dataset: Dataset) -> list[Row]:
    return [
        _custom_field(dataset.rng(f"fields/{model}"), *field) | {"model": model}
        for model, fields in FIELDS.items()
        for field in fields
    ]


def _times(rng: SeededRandom) -> Row:
    updated = rng.moment()
    created = rng.moment(until=updated)
    return {"createdAt": iso_ms(created * 1000), "updatedAt": iso_ms(updated * 1000)}


def _categories(dataset: Dataset, kind: str) -> list[Row]:
    rng = dataset.rng(f"{kind} categories")
    return [{"id": rng.uuid(), "name": name, **_times(rng)} for name in CATEGORIES[kind]]


def _template(rng: SeededRandom, category: Row) -> Row:
    return {
        "id": rng.uuid(),
        **_times(rng),
        "name": "Onboarding",
        "description": "<p>The first month.</p>",
        "projectName": "Onboarding @ {{account}}",
        CATEGORY: category["id"],
    }


def _organization(rng: SeededRandom, number: int, admins: Sequence[Row]) -> Row:
    owner = rng.choice(admins)
    role = {"id": rng.uuid(), "label": "Sponsor", "createdAt": iso_ms(LAST_DAY * 1000)}
    holder = {"id": rng.uuid(), "assignedAt": role["createdAt"], "createdAt": role["createdAt"]}
    return {
        **_times(rng),
        "externalId": f"org-{number}",
        "name": GROUPS[number],
        "traits": {"vitally.custom.region": "EMEA"} if number else {},
        "organizationOwnerId": owner["id"],
        "csmId": rng.choice(admins)["id"],
        "accountExecutiveId": owner["id"] if number else None,
        "mrr": 12_000 * number,
        "healthScore": rng.choice((None, 7, 9)),
        "npsScore": None if number else 40,
        "npsDetractorCount": number,
        "npsPassiveCount": 1,
        "npsPromoterCount": 3,
        "usersCount": 20 * number,
        "firstPaidDate": iso_ms(rng.moment() * 1000),
        "nextRenewalDate": iso_ms((LAST_DAY + DAY) * 1000),
        "trialEndDate": None,
        "churnedAt": iso_ms(LAST_DAY * 1000) if number == 0 else None,
        "keyRoles": [{**holder, "keyRole": role, "vitallyUser": owner}],
        "segments": [],
    }


def _response(rng: SeededRandom, user: Row) -> Row:
    answered = user["npsLastRespondedAt"]
    return {
        "id": rng.uuid(),
        "createdAt": answered,
        "updatedAt": answered,
        "externalId": f"nps-{user['externalId']}",
        "userId": user["id"],
        "score": user["npsLastScore"],
        "feedback": user["npsLastFeedback"],
        "respondedAt": answered,
    }


def _messages(dataset: Dataset, *, users: Sequence[Row], admins: Sequence[Row]) -> list[Row]:
    """Return a question and an answer for most conversations; every fifth one has no message."""
    rng = dataset.rng("messages")
    return [
        {"conversationId": each["id"]} | message
        for number, each in enumerate(dataset.tables["success_conversations"])
        if number % 5
        for message in _exchange(rng, each, user=rng.choice(users), admin=rng.choice(admins))
    ]


def _exchange(rng: SeededRandom, conversation: Row, *, user: Row, admin: Row) -> Iterable[Row]:
    theirs, ours = {"type": "user", "id": user["id"]}, {"type": "admin", "id": admin["id"]}
    for number, (sender, receiver) in enumerate(((theirs, ours), (ours, theirs))):
        yield {
            "id": rng.uuid(),
            "externalId": f"{conversation['externalId']}-{number}",
            "externalUrl": None,
            "type": "outbound" if sender is ours else "inbound",
            "timestamp": conversation["createdAt"],
            "message": "<p>Danke schön</p>" if number else "<p>When does it renew?</p>",
            "from": sender,
            "to": [receiver],
            "cc": [],
            "bcc": [],
        }


def _project(rng: SeededRandom, number: int, *, account: Row, admin: Row) -> Row:
    done = number % 2 == 0
    return {
        "id": rng.uuid(),
        **_times(rng),
        "name": f"Onboarding @ {account['name']}",
        "accountId": account["id"],
        "durationInDays": 7 * number,
        "targetStartDate": "2025-01-07",
        "actualStartDate": "2025-01-08",
        "targetCompletionDate": "2025-02-07",
        "actualCompletionDate": "2025-02-01" if done else None,
        "ownedByVitallyUserId": admin["id"],
        "projectStatusId": rng.uuid(),
        "archivedAt": iso_ms(LAST_DAY * 1000) if number == 0 else None,
        "traits": {"vitally.custom.nextStep": "Give them a call"},
    }


def _meeting(rng: SeededRandom, number: int, *, account: Row, admin: Row) -> Row:
    start = rng.moment()
    return {
        "id": rng.uuid(),
        **_times(rng),
        "externalId": f"cal-{number}",
        "title": "Quarterly review",
        "description": None,
        "location": "Quay 4" if number else None,
        "startDate": None,
        "startDateTime": iso_ms(start * 1000),
        "startTimeZone": "utc",
        "endDate": None,
        "endDateTime": iso_ms((start + 1800) * 1000),
        "endTimeZone": "utc",
        "externalStatus": "confirmed",
        "source": "google",
        "recordingUrl": None,
        "recordingUrlFormatted": None,
        "joiningInstructionsUri": None,
        "videoConferenceUri": f"https://meet.example.com/{number}",
        "phoneConferenceNumbers": [],
        "conferenceSolution": "Google Meet",
        "summary": "All is well.",
        "keyPoints": ["Renewal", "Größe"],
        "riskAssessment": None,
        "participants": [{"vitallyUserId": admin["id"], "type": "organizer"}],
        "accountIds": [account["id"]],
        "accounts": [{"id": account["id"], "name": account["name"]}],
        "organizations": [],
        "notes": [],
        "tasks": [],
        "archivedAt": iso_ms(LAST_DAY * 1000) if number == 0 else None,
        "traits": {},
    }


def _custom_field(rng: SeededRandom, path: str, label: str, kind: str) -> Row:
    options = [{"label": "Signed", "value": "signed"}] if "Select" in kind else []
    created = iso_ms(rng.moment() * 1000)
    return {
        "id": rng.uuid(),
        "createdAt": created,
        "label": label,
        "path": path,
        "type": kind,
        "options": options,
    }


def _custom_object(dataset: Dataset, number: int) -> Row:
    rng = dataset.rng(f"custom objects/{number}")
    field = _custom_field(rng, "vitally.custom.tonnage", "Tonnage", "number")
    return {
        "id": rng.uuid(),
        **_times(rng),
        "name": ("vessel", "featureRequest")[number],
        "label": ("Vessel", "Feature request")[number],
        "syncActive": number == 0,
        "writeMode": "allow",
        "customFields": [] if number else [field],
    }


def _instance(rng: SeededRandom, number: int, *, of: Row, account: Row, admin: Row) -> Row:
    found = {
        "custom_object_id": of["id"],
        "id": rng.uuid(),
        **_times(rng),
        "externalId": f"{of['name']}-{number}",
        "name": f"{of['label']} {number}",
        "customObjectId": of["id"],
        "customerId": account["id"],
        "customer": {"id": account["id"], "name": account["name"]},
        "customers": [{"id": account["id"], "name": account["name"]}],
        "organization": None,
        "createdByVitallyUserId": admin["id"],
        "ownedByVitallyUserId": admin["id"],
        "archivedAt": iso_ms(LAST_DAY * 1000) if number == 0 else None,
        "traits": {},
    }
    if of["customFields"]:
        found["traits"] = {"vitally.custom.tonnage": 900 * number}
    return found
