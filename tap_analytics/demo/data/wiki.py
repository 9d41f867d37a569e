"""The wiki's spaces, pages, blog posts, groups and audit log, edited by the staff."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data.dice import Dice, Row, iso_ms

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.cast import Person

SITE = "https://brightwater.example.net/wiki"
SPACES = ("Harbour Handbook", "Élan", "Platform", "People Ops", "Old Docks", "Sales Floor")
TOPICS = ("Knots and hitches", "Berth map", "Onboarding ⚓", "Rota", "Naïve Bayes notes", "Minutes")
CREWS = ("editors", "readers", "admins", "guests", "ops", "finance")
#: Number of the first audit event of a burst that shares one millisecond, and the burst's size.
BURST, BURST_SIZE = 40, 5
#: Number of an audit event that is logged twice, byte for byte.
TWIN = 59


def author_ids(dice: Dice, staff: t.Sequence[Person]) -> list[str]:
    """Return one account id per member of the staff, in the staff's order."""
    return [f"712020:{dice.uuid()}" for _ in staff]


def spaces(dice: Dice, *, authors: t.Sequence[str], count: int) -> list[Row]:
    """Return spaces, two of eight personal, with all they can be asked for."""
    return [_space(dice, number, author=dice.choice(authors)) for number in range(count)]


def _space(dice: Dice, number: int, *, author: str) -> Row:
    personal = (number + 2) % 4 == 0
    title = SPACES[number % len(SPACES)] + ("" if number < len(SPACES) else f" {number}")
    key = f"~712020bw{number}" if personal else f"SP{number}"
    words = None if personal else {"representation": "plain", "value": f"All about {title}"}
    return {
        "id": str(650_001 + number),
        "key": key,
        "name": title,
        "type": "personal" if personal else "global",
        "status": "archived" if title == "Old Docks" else "current",
        "authorId": author,
        "spaceOwnerId": author,
        "createdAt": iso_ms(dice.moment() * 1000),
        "homepageId": None if personal else str(70_001_000 + 7 * number),
        "currentActiveAlias": key,
        "description": words and {"plain": words},
        "icon": None
        if personal
        else {"path": f"/wiki/download/{key}", "apiDownloadLink": f"/wiki/rest/api/space/{key}"},
        "_links": {"webui": f"/spaces/{key}"},
    }


def pages(
    dice: Dice, *, authors: t.Sequence[str], spaces: t.Sequence[Row], count: int
) -> list[Row]:
    """Return pages in id order; the first are their space's home, the others lie below."""
    edits = dice.moments(count)
    dice.shuffle(edits)
    rows: list[Row] = []
    for number, edited in enumerate(edits):
        parent = dice.choice(rows) if number >= len(spaces) else None
        identity = str(70_001_000 + 7 * number)
        article = _article(dice, identity, edited=edited, author=dice.choice(authors))
        rows.append(
            article
            | {
                "status": "archived" if parent and number % 20 == 0 else "current",
                "title": f"{dice.choice(TOPICS)} {number}" if parent else "Home",
                "spaceId": parent["spaceId"] if parent else spaces[number]["id"],
                "parentId": parent and parent["id"],
                "parentType": parent and "page",
                "position": dice.maybe(dice.randrange(9000), one_in=6),
                "ownerId": dice.maybe(dice.choice(authors), one_in=8),
                "lastOwnerId": dice.maybe(dice.choice(authors), one_in=2),
                "subtype": dice.maybe("live", one_in=2),
            }
        )
    return rows


def blog_posts(
    dice: Dice, *, authors: t.Sequence[str], spaces: t.Sequence[Row], count: int
) -> list[Row]:
    """Return blog posts in id order."""
    return [
        blog_post(
            dice, number, edited=edited, author=dice.choice(authors), space=dice.choice(spaces)
        )
        for number, edited in enumerate(dice.moments(count))
    ]


def blog_post(dice: Dice, number: int, *, edited: int, author: str, space: Row) -> Row:
    """Return one blog post."""
    title = f"Launch week log, day {number + 1}"
    return _article(dice, str(80_010_231 + 7 * number), edited=edited, author=author) | {
        "title": title,
        "spaceId": space["id"],
    }


def _article(dice: Dice, identity: str, *, edited: int, author: str) -> Row:
    return {
        "id": identity,
        "status": "current",
        "authorId": author,
        "createdAt": iso_ms(dice.moment(until=edited) * 1000),
        "version": {
            "createdAt": iso_ms(edited * 1000 + dice.choice((0, 0, 4, 930))),
            "message": dice.choice(("", "typo", None)),
            "number": dice.randrange(1, 30),
            "minorEdit": dice.randrange(4) == 0,
            "authorId": author,
            "ncsStepVersion": None,
            "contributorIds": [],
        },
        "body": {
            "storage": {"representation": "storage", "value": f"<p>Page {identity}: ahoj ⛵.</p>"}
        },
        "_links": {"webui": f"/pages/{identity}", "tinyui": f"/x/bw{identity}"},
    }


def groups(dice: Dice, count: int) -> list[Row]:
    """Return groups ordered by name; half of them carry the undocumented fields."""
    names = sorted(
        f"crew-{CREWS[number % len(CREWS)]}{'' if number < len(CREWS) else f'-{number:04d}'}"
        for number in range(count)
    )
    return [_group(dice.uuid(), name, documented=n % 2 == 0) for n, name in enumerate(names)]


def _group(identity: str, name: str, *, documented: bool) -> Row:
    extra = {
        "usageType": "USERBASE_GROUP",
        "managedBy": "ADMINS",
        "resourceAri": f"ari:cloud:identity::group/{identity}",
    }
    return {
        "type": "group",
        "name": name,
        "id": identity,
        **({} if documented else extra),
        "_links": {"self": f"{SITE}/rest/api/group/by-id?id={identity}"},
    }


def audit(
    dice: Dice, *, staff: t.Sequence[Person], authors: t.Sequence[str], count: int
) -> list[Row]:
    """Return the audit log, oldest first.

    The oldest event spells its time as a string, a burst of events shares one millisecond, and one
    event stands in the log twice, byte for byte.
    """
    moments = [when * 1000 + dice.randrange(1000) for when in dice.moments(count)]
    rows = []
    moments[BURST : BURST + BURST_SIZE] = moments[BURST : BURST + 1] * len(
        moments[BURST : BURST + BURST_SIZE]
    )
    for number, when in enumerate(moments):
        who = dice.randrange(len(staff))
        user = None if number % 9 == 0 else (staff[who].name, authors[who])
        rows.append(audit_event(dice, number, when=when, user=user))
    rows.sort(key=lambda row: int(row["creationDate"]))
    if rows:
        rows[0] = rows[0] | {"creationDate": str(rows[0]["creationDate"])}
    if len(rows) > TWIN + 1:
        rows[TWIN + 1] = rows[TWIN]
    return rows


def audit_event(dice: Dice, number: int, *, when: int, user: tuple[str, str] | None) -> Row:
    """Return one audit event; `when` is in epoch milliseconds, no `user` means the system."""
    crew = f"crew-{CREWS[number % len(CREWS)]}"
    return {
        "author": _audit_author(user),
        "remoteAddress": f"198.51.100.{dice.randrange(1, 250)}" if user else "",
        "creationDate": when,
        "summary": "Space permission added" if number % 2 else "User added to group",
        "description": "",
        "category": "Permissions" if number % 2 else "Users and groups",
        "sysAdmin": False,
        "superAdmin": user is None,
        "affectedObject": {"name": SPACES[number % len(SPACES)], "objectType": "Space"},
        "changedValues": [{"name": "Type", "oldValue": "", "newValue": f"VIEWSPACE-{number}"}],
        "associatedObjects": [{"name": crew, "objectType": "Group"}],
    }


def _audit_author(user: tuple[str, str] | None) -> Row:
    if user is None:
        return {
            "type": "user",
            "displayName": "System",
            "operations": None,
            "accountType": "",
            "publicName": "Unknown",
        }
    name, account = user
    return {
        "type": "user",
        "displayName": name,
        "operations": None,
        "accountId": account,
        "accountType": "atlassian",
        "publicName": name,
        "isExternalCollaborator": False,
        "externalCollaborator": False,
        "isGuest": False,
    }
