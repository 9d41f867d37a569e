"""The wiki's spaces, pages, blog posts, groups and audit log, edited by the staff."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data.dice import Dice, Row, iso_ms

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.world import World

SITE = "https://brightwater.example.net/wiki"
SPACES = ("Harbour Handbook", "Élan", "Platform", "People Ops", "Old Docks", "Sales Floor")
TOPICS = ("Knots and hitches", "Berth map", "Onboarding ⚓", "Rota", "Naïve Bayes notes", "Minutes")
CREWS = ("editors", "readers", "admins", "guests", "ops", "finance")
#: The audit events that share one millisecond, and the one that is logged twice, byte for byte.
BURST = slice(40, 45)
TWIN = 59
SYSTEM: Row = {
    "type": "user",
    "displayName": "System",
    "operations": None,
    "accountType": "",
    "publicName": "Unknown",
}


def fill(world: World) -> None:
    """Add the records: pages and blog posts in id order, groups by name, events oldest first."""
    authors = world.authors
    dice = world.dice("spaces")
    spaces = [_space(dice, number, dice.choice(authors)) for number in range(world.many(8))]
    dice = world.dice("posts")
    posts = [
        blog_post(dice, *each, author=dice.choice(authors), space=dice.choice(spaces))
        for each in enumerate(dice.moments(world.many(30)))
    ]
    world.tables |= {
        "wiki_audit": _audit(world, world.dice("audit"), count=world.many(90)),
        "wiki_group": _groups(world.dice("groups"), world.many(12)),
        "wiki_pages": _pages(world, world.dice("pages"), spaces=spaces),
        "wiki_blog_posts": posts,
        "wiki_space": spaces,
    }


def _space(dice: Dice, number: int, author: str) -> Row:
    """Return a space with all it can be asked for; two of eight are personal."""
    personal = (number + 2) % 4 == 0
    title = SPACES[number % len(SPACES)] + ("" if number < len(SPACES) else f" {number}")
    key = f"~712020bw{number}" if personal else f"SP{number}"
    words = {"representation": "plain", "value": f"All about {title}"}
    icon = {"path": f"/wiki/download/{key}", "apiDownloadLink": f"/wiki/rest/api/space/{key}"}
    return {
        "id": str(650_001 + number),
        "key": key,
        "name": title,
        "type": "personal" if personal else "global",
        "status": "archived" if title == "Old Docks" else "current",
        "authorId": author,
        "spaceOwnerId": author,
        "createdAt": iso_ms(dice.moment() * 1000),
        "homepageId": None if personal else _page_id(number),
        "currentActiveAlias": key,
        "description": None if personal else {"plain": words},
        "icon": None if personal else icon,
        "_links": {"webui": f"/spaces/{key}"},
    }


def _page_id(number: int) -> str:
    return str(70_001_000 + 7 * number)


def _pages(world: World, dice: Dice, *, spaces: t.Sequence[Row]) -> list[Row]:
    """Return pages in id order; the first are their space's home, the others lie below."""
    rows: list[Row] = []
    for number, edited in enumerate(dice.moments(world.many(140, least=12), shuffled=True)):
        parent = dice.choice(rows) if number >= len(spaces) else None
        author = dice.choice(world.authors)
        article = _article(dice, _page_id(number), edited=edited, author=author) | {
            "status": "archived" if parent and number % 20 == 0 else "current",
            "title": f"{dice.choice(TOPICS)} {number}" if parent else "Home",
            "spaceId": parent["spaceId"] if parent else spaces[number]["id"],
            "parentId": parent and parent["id"],
            "parentType": parent and "page",
            "position": dice.maybe(dice.randrange(9000), one_in=6),
            "ownerId": dice.maybe(dice.choice(world.authors), one_in=8),
            "lastOwnerId": dice.maybe(dice.choice(world.authors), one_in=2),
            "subtype": dice.maybe("live", one_in=2),
        }
        rows.append(article)
    return rows


def blog_post(dice: Dice, number: int, edited: int, *, author: str, space: Row) -> Row:
    """Return one blog post."""
    return _article(dice, str(80_010_231 + 7 * number), edited=edited, author=author) | {
        "title": f"Launch week log, day {number + 1}",
        "spaceId": space["id"],
    }


def _article(dice: Dice, identity: str, *, edited: int, author: str) -> Row:
    text = {"representation": "storage", "value": f"<p>Page {identity}: ahoj ⛵.</p>"}
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
        "body": {"storage": text},
        "_links": {"webui": f"/pages/{identity}", "tinyui": f"/x/bw{identity}"},
    }


def _groups(dice: Dice, count: int) -> list[Row]:
    """Return groups ordered by name; half of them carry the undocumented fields."""
    names = sorted(
        f"crew-{CREWS[number % len(CREWS)]}{'' if number < len(CREWS) else f'-{number:04d}'}"
        for number in range(count)
    )
    rows: list[Row] = []
    for number, name in enumerate(names):
        identity = dice.uuid()
        row: Row = {"type": "group", "name": name, "id": identity}
        if number % 2:
            resource = f"ari:cloud:identity::group/{identity}"
            row |= {"usageType": "USERBASE_GROUP", "managedBy": "ADMINS", "resourceAri": resource}
        rows.append(row | {"_links": {"self": f"{SITE}/rest/api/group/by-id?id={identity}"}})
    return rows


def _audit(world: World, dice: Dice, *, count: int) -> list[Row]:
    """Return the audit log, oldest first; its oldest event has its time as a string."""
    moments = [when * 1000 + dice.randrange(1000) for when in dice.moments(count)]
    moments[BURST] = moments[BURST][:1] * len(moments[BURST])
    rows = []
    for number, when in enumerate(moments):
        who = dice.randrange(len(world.authors))
        user = None if number % 9 == 0 else (world.cast.staff[who].name, world.authors[who])
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
        "author": SYSTEM if user is None else _author(*user),
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


def _author(name: str, account: str) -> Row:
    author = {"type": "user", "displayName": name, "operations": None, "accountId": account}
    no = dict.fromkeys(("isExternalCollaborator", "externalCollaborator", "isGuest"), False)
    return {**author, "accountType": "atlassian", "publicName": name, **no}
