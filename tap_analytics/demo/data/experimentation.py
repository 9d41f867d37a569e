"""The experimentation platform's accounts, users, campaigns, labels, widgets and activity feed."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data.dataset import FIRST_DAY, LAST_DAY, Row, SeededRandom, iso

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.dataset import Dataset, Person

MAIN_ACCOUNT = 704_118
TYPES = ("ab", "split", "multivariate", "heatmap", "survey", "feature-test")
STATUSES = ("RUNNING", "PAUSED", "STOPPED", "RUNNING", "NOT_STARTED")
SUBJECTS = ("Checkout copy", "Hero banner", "Price table", "Café menu", "Newsletter box", "Search")
#: One label has no name, one an empty one.
LABELS = ("q1", "q2", "q3", "legacy", "mobile", "größer", "", None, "vip")
VERBS = (("campaign", "started"), ("campaign", "paused"), ("goal", "reached"), ("note", "added"))
SINGLES: dict[str, Row] = {
    "experimentation_smartcode": {
        "async": f"<script id='bw-async'>/* snippet of {MAIN_ACCOUNT} */</script>",
        "sync": f"<script src='https://edge.example.com/{MAIN_ACCOUNT}.js'></script>",
    },
    "experimentation_thresholds": {"visitors": 400, "winningPercent": 96, "losingPercent": 4},
    "experimentation_integrations": {
        "ga": {"enabled": False, "prefix": "BWX", "slot": 3},
        "ua": {"enabled": True, "prefix": "bwx", "dimension": 7},
        "gtm": {"enabled": True},
        "clicktale": {"enabled": False},
        "isGaPremium": False,
    },
}


def fill(dataset: Dataset) -> None:
    """Add the records: campaigns in order of creation, the feed oldest first."""
    many = dataset.many
    rng = dataset.rng("workspaces")
    accounts = [_account(rng, number) for number in range(many(4))]
    rng = dataset.rng("experimenters")
    users = [
        _user(rng, number, who) for number, who in enumerate(dataset.persons.staff[: many(14)])
    ]
    names = [*LABELS, *(f"label-{number}" for number in range(len(LABELS), many(9)))][: many(9)]
    labels: list[Row] = [{"id": 4 + 2 * number, "name": name} for number, name in enumerate(names)]
    campaigns = _campaigns(dataset, users=users, labels=labels)
    rng = dataset.rng("widgets")
    widgets = [_widget(rng, *each, users) for each in enumerate(rng.moments(many(30)))]
    dataset.singles |= SINGLES
    dataset.tables |= {
        "experimentation_accounts": accounts,
        "experimentation_accounts_feeds": _feeds(dataset, users=users, campaigns=campaigns),
        "experimentation_users": users,
        "experimentation_campaigns": campaigns,
        "experimentation_custom_widgets": widgets,
        "experimentation_labels": labels,
    }
    _fill_extra(dataset, users=users, campaigns=campaigns)


def _fill_extra(dataset: Dataset, *, users: list[Row], campaigns: list[Row]) -> None:
    """Add the records beyond the specification: fewer of each than a page takes."""
    rng = dataset.rng("experimentation extra")
    variations, goals, sections, details = [], [], [], []
    for campaign in campaigns:
        of = {"campaign_id": campaign["id"]}
        count = campaign["variations"]["totalCount"]
        shares = (100 // count,) * (count - 1)
        shares = (100 - sum(shares), *shares)
        made = [_variation(number, share) for number, share in enumerate(shares, 1)]
        variations += [of | each for each in made]
        details.append(of | _detail(campaign, made))
        goals += [of | _whole_goal(each) for each in campaign["goals"]["partialCollection"]]
        if campaign["type"] == "multivariate":
            sections.append(
                of | {"id": 1, "name": "Hero", "cssSelector": "#hero", "variations": made}
            )
    signed = {"createdBy": _signature(users[0]), "createdOn": FIRST_DAY}
    dataset.extra |= {
        "experimentation_campaign_variations": variations,
        "experimentation_campaign_goals": goals,
        "experimentation_campaign_sections": sections,
        "experimentation_campaign_details": details,
        "experimentation_drafts": [_draft(number, rng.choice(users)) for number in range(3)],
        "experimentation_metric_reports": [
            {"id": 31 + number, "status": "running"} for number in range(4)
        ],
        "experimentation_projects": [_project(number) | signed for number in range(2)],
        "experimentation_features": [_feature(number) | signed for number in range(3)],
        "experimentation_websites": [_website(number) for number in range(2)],
    }


def _variation(number: int, share: int) -> Row:
    return {
        "id": number,
        "name": "Control" if number == 1 else f"Variation {number - 1}",
        "isControl": number == 1,
        "isDisabled": False,
        "percentSplit": share,
        "sectionId": 1,
        "editorData": {"stack": []} if number > 1 else [],
        "heatmapThumbUrl": None,
        "screenshots": {"quick": f"https://edge.example.com/{number}.png"},
    }


def _detail(campaign: Row, variations: list[Row]) -> Row:
    listed = ("id", "name", "type", "status", "createdOn", "createdBy", "labels", "stats")
    results = [{"variationId": each["id"], "goalId": 1, "visitors": 90} for each in variations]
    return {name: campaign[name] for name in listed} | {
        "percentTraffic": 100,
        "primaryUrl": "https://shop.example.com/",
        "variations": variations,
        "goals": [_whole_goal(each) for each in campaign["goals"]["partialCollection"]],
        "variationGoalData": results if campaign["goals"]["totalCount"] else [],
        "dataIntervalRange": [],
    }


def _whole_goal(goal: Row) -> Row:
    listed = {name: goal[name] for name in ("id", "name", "type", "isPrimary")}
    page = {"type": "startsWith", "value": "https://shop.example.com/thanks"}
    return listed | {
        "urls": [page],
        "excludedUrls": [],
        "cssSelectors": [None],
        "isCreatedInEditor": False,
    }


def _draft(number: int, user: Row) -> Row:
    return {
        "draftId": 14_597 + number,
        "name": f"Draft {number + 1}",
        "type": TYPES[number],
        "status": "draft",
        "platform": "website",
        "createdOn": FIRST_DAY + 86_400 * number,
        "currentDraftStepIndex": number,
        "urls": [{"value": "https://shop.example.com/"}],
        "createdBy": {"id": user["id"], "name": user["name"]},
    }


def _project(number: int) -> Row:
    token = f"b{number}" * 16
    return {
        "id": 1 + number,
        "name": f"Server side {number + 1}",
        "accountId": MAIN_ACCOUNT,
        "modifiedOn": LAST_DAY,
        "languages": ["PYTHON", "GO"],
        "environments": [{"id": 1, "name": "Production", "isEnabled": True, "token": token}],
        "setting": {"isEditable": True},
    }


def _feature(number: int) -> Row:
    return {
        "id": 1 + number,
        "name": f"Feature {number + 1}",
        "accountId": MAIN_ACCOUNT,
        "modifiedOn": LAST_DAY,
        "variables": [
            {"id": 1, "variableName": "limit", "dataType": "float", "defaultValue": 10.5},
            {"id": 2, "variableName": "on", "dataType": "boolean", "defaultValue": True},
        ],
        "setting": {"isEditable": False, "associatedCampaigns": []},
    }


def _website(number: int) -> Row:
    return {
        "id": 1 + number,
        "accountId": MAIN_ACCOUNT,
        "name": f"Shop {number + 1}",
        "domain": f"shop{number + 1}.example.com",
        "platform": "website",
        "status": "CONNECTED",
        "isArchived": number > 0,
        "archivedAt": LAST_DAY if number else False,
        "isRegistered": True,
        "createdAt": FIRST_DAY,
        "lastUpdatedAt": LAST_DAY,
        "lastActivity": None,
    }


def _campaigns(dataset: Dataset, *, users: list[Row], labels: list[Row]) -> list[Row]:
    rng = dataset.rng("campaigns")
    return [
        _campaign(
            rng,
            number=number,
            created=created,
            author=_signature(rng.choice(users)),
            labels=rng.sample(labels, min(number % 3, len(labels))),
        )
        for number, created in enumerate(rng.moments(dataset.many(60)))
    ]


def _feeds(dataset: Dataset, *, users: list[Row], campaigns: list[Row]) -> list[Row]:
    rng = dataset.rng("feeds")
    return [
        feed(
            number,
            when=when,
            verb=VERBS[number % len(VERBS)],
            user=rng.choice(users),
            campaign=rng.maybe(rng.choice(campaigns), one_in=5),
        )
        for number, when in enumerate(rng.moments(dataset.many(130)))
    ]


def _account(rng: SeededRandom, number: int) -> Row:
    return {
        "id": MAIN_ACCOUNT + 837 * number,
        "name": "Brightwater Retail" if number == 0 else f"Brightwater Labs {number}",
        "isMainAccount": number == 0,
        "isActive": number % 3 != 1,
        "isEnabled": rng.maybe(value=True, one_in=4),
        "createdOn": FIRST_DAY + 86_400 * number,
    }


def _user(rng: SeededRandom, number: int, who: Person) -> Row:
    return {
        "id": 55_021 + 13 * number,
        "account": MAIN_ACCOUNT,
        "name": who.name,
        "email": who.email,
        "permission": "owner" if number == 0 else rng.choice(("browse", "design", "publish")),
        "title": rng.maybe("Growth lead", one_in=2),
        "department": rng.maybe("Digital", one_in=3),
        "phone": rng.maybe(f"+31 20 555 {100 + number:04d}", one_in=3),
        "country": rng.maybe("NL", one_in=4),
        "createdOn": (created := rng.moment(until=LAST_DAY - 86_400)),
        "lastLogin": rng.maybe(rng.moment(created), one_in=5),
    }


def _campaign(
    rng: SeededRandom, *, number: int, created: int, author: Row, labels: list[Row]
) -> Row:
    identity = 18 + 3 * number
    deleted = number % 12 == 0 and number > 0
    goals = [_goal(goal) for goal in range(1, 1 + number % 3)]
    page = f"https://shop.example.com/p/{identity}"
    return {
        "id": identity,
        "name": f"{rng.choice(SUBJECTS)} {number + 1}",
        "type": TYPES[number % len(TYPES)],
        "platform": rng.choice(("website", "website", "full-stack", "mobile-app")),
        "status": "STOPPED" if deleted else STATUSES[number % len(STATUSES)],
        "isDeleted": deleted,
        "isApprovalPending": False,
        "isBayesian": number % 2 == 0,
        "createdOn": created,
        "createdBy": author,
        "primaryGoal": 1 if goals else None,
        "goals": {"offset": 0, "totalCount": len(goals), "partialCollection": goals},
        "variations": {"totalCount": 2 + number % 2, "partialCollection": []},
        "labels": labels,
        "campaignGroup": [],
        "associatedCampaign": [],
        "pageGroupConfig": {"editorUrl": [page], "exclude": [], "include": []},
        "stats": _stats(visitors=rng.randrange(100, 5000)),
    }


def _stats(*, visitors: int) -> Row:
    return {
        "delayDecision": False,
        "expectedConversionRate": "3.4",
        "expectedDailyVisitors": visitors,
        "expectedImprovementRate": "8",
        "multipleCorrection": True,
        "reportingVersion": 3,
        "testingApproach": "sequential",
        "thresholdOfCaring": "0.5",
    }


def _goal(number: int) -> Row:
    kind = "custom-conversion" if number == 1 else "visitPage"
    name = "Order placed" if number == 1 else "Viewed terms"
    return {"id": number, "name": name, "type": kind, "isPrimary": number == 1, "averageData": []}


def _signature(user: Row) -> Row:
    return {"id": user["id"], "name": user["name"], "imageUrl": None}


def _widget(rng: SeededRandom, number: int, updated: int, users: t.Sequence[Row]) -> Row:
    """Return a custom widget, the only record here with a modification time."""
    return {
        "id": 301 + number,
        "name": f"{rng.choice(('Countdown ribbon', 'Size guide', 'Exit offer'))} {number + 1}",
        "type": "widget",
        "description": rng.choice((None, "", "Ribbon with a timer")),
        "createdAt": (created := rng.moment(until=updated)),
        "createdBy": rng.maybe(rng.choice(users)["name"], one_in=4),
        "updatedAt": max(created, updated),
    }


def feed(number: int, *, when: int, verb: tuple[str, str], user: Row, campaign: Row | None) -> Row:
    """Return one event of the feed; its id grows with its time."""
    copied = ("id", "name", "type", "platform")
    return {
        "id": f"fd-{iso(when)[:10].replace('-', '')}-{number:07d}",
        "type": verb[0],
        "verb": verb[1],
        "what": f"{verb[0]} was {verb[1]}" if campaign else "",
        "when": when,
        "who": _signature(user),
        "campaign": campaign
        and {name: campaign[name] for name in copied}
        | {"appPlatform": None, "goalId": campaign["primaryGoal"]},
    }
