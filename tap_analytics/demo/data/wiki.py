"""The wiki's spaces, pages, blog posts, groups and audit log, edited by the staff."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data import wiki_extra
from tap_analytics.demo.data.dataset import Row, SeededRandom, iso_ms

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.dataset import Dataset

SITE = "https://brightwater.example.net/wiki"
SPACES = ("Harbour Handbook", "Élan", "Platform", "People Ops", "Old Docks", "Sales Floor")
TOPICS = ("Knots and hitches", "Berth map", "Onboarding ⚓", "Rota", "Naïve Bayes notes", "Minutes")
CREWS = ("editors", "readers", "admins", "guests", "ops", "finance")
#: Audit events with the same millisecond, and one that is logged twice, byte for byte.
BURST = slice(40, 45)
TWIN = 59
SYSTEM: Row = {
    "type": "user",
    "displayName": "System",
    "operations": None,
    "accountType": "",
    "publicName": "Unknown",
}


def fill(dataset: Dataset) -> None:
    """Add the records: pages and blog posts in id order, groups by name, events oldest first."""
    authors = dataset.authors
    rng = dataset.rng("spaces")
    spaces = [_space(rng, number, rng.choice(authors)) for number in range(dataset.many(8))]
    rng = dataset.rng("posts")
    posts = [
        blog_post(rng, *each, author=rng.choice(authors), space=rng.choice(spaces))
        for each in enumerate(rng.moments(dataset.many(30)))
    ]
    groups = _groups(dataset.rng("groups"), dataset.many(12))
    pages = _pages(dataset, dataset.rng("pages"), spaces=spaces)
    dataset.tables |= {
        "wiki_audit": _audit(dataset, dataset.rng("audit"), count=dataset.many(90)),
        "wiki_group": groups,
        "wiki_pages": pages,
        "wiki_blog_posts": posts,
        "wiki_space": spaces,
    }
    wiki_extra.fill(dataset, pages=pages, posts=posts, groups=groups)


def _space(rng: SeededRandom, number: int, author: str) -> Row:
    """Return a space with all optional parts; two of eight are personal."""
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
        "createdAt": iso_ms(rng.moment() * 1000),
        "homepageId": None if personal else _page_id(number),
        "currentActiveAlias": key,
        "description": None if personal else {"plain": words},
        "icon": None if personal else icon,
        "_links": {"webui": f"/spaces/{key}"},
    }


def _page_id(number: int) -> str:
    return str(70_001_000 + 7 * number)


def _pages(dataset: Dataset, rng: SeededRandom, *, spaces: t.Sequence[Row]) -> list[Row]:
    """Return pages in id order; first the home pages of spaces, then their descendants."""
    rows: list[Row] = []
    for number, edited in enumerate(rng.moments(dataset.many(140, least=12), shuffled=True)):
        parent = rng.choice(rows) if number >= len(spaces) else None
        author = rng.choice(dataset.authors)
        article = _article(rng, _page_id(number), edited=edited, author=author) | {
            "status": "archived" if parent and number % 20 == 0 else "current",
            "title": f"{rng.choice(TOPICS)} {number}" if parent else "Home",
            "spaceId": parent["spaceId"] if parent else spaces[number]["id"],
            "parentId": parent and parent["id"],
            "parentType": parent and "page",
            "position": rng.maybe(rng.randrange(9000), one_in=6),
            "ownerId": rng.maybe(rng.choice(dataset.authors), one_in=8),
            "lastOwnerId": rng.maybe(rng.choice(dataset.authors), one_in=2),
            "subtype": rng.maybe("live", one_in=2),
        }
        rows.append(article)
    return rows


def blog_post(rng: SeededRandom, number: int, edited: int, *, author: str, space: Row) -> Row:
    """Return one blog post."""
    return _article(rng, str(80_010_231 + 7 * number), edited=edited, author=author) | {
        "title": f"Launch week log, day {number + 1}",
        "spaceId": space["id"],
    }


def _article(rng: SeededRandom, identity: str, *, edited: int, author: str) -> Row:
    text = {"representation": "storage", "value": f"<p>Page {identity}: ahoj ⛵.</p>"}
    return {
        "id": identity,
        "status": "current",
        "authorId": author,
        "createdAt": iso_ms(rng.moment(until=edited) * 1000),
        "version": {
            "createdAt": iso_ms(edited * 1000 + rng.choice((0, 0, 4, 930))),
            "message": rng.choice(("", "typo", None)),
            "number": rng.randrange(1, 30),
            "minorEdit": rng.randrange(4) == 0,
            "authorId": author,
            "ncsStepVersion": None,
            "contributorIds": [],
        },
        "body": {"storage": text},
        "_links": {"webui": f"/pages/{identity}", "tinyui": f"/x/bw{identity}"},
    }


def _groups(rng: SeededRandom, count: int) -> list[Row]:
    """Return groups ordered by name; half of them carry the undocumented fields."""
    names = sorted(
        f"crew-{CREWS[number % len(CREWS)]}{'' if number < len(CREWS) else f'-{number:04d}'}"
        for number in range(count)
    )
    rows: list[Row] = []
    for number, name in enumerate(names):
        identity = rng.uuid()
        row: Row = {"type": "group", "name": name, "id": identity}
        if number % 2:
            resource = f"ari:cloud:identity::group/{identity}"
            row |= {"usageType": "USERBASE_GROUP", "managedBy": "ADMINS", "resourceAri": resource}
        rows.append(row | {"_links": {"self": f"{SITE}/rest/api/group/by-id?id={identity}"}})
    return rows


def _audit(dataset: Dataset, rng: SeededRandom, *, count: int) -> list[Row]:
    """Return the audit log, oldest first; its oldest event has its time as a string."""
    moments = [when * 1000 + rng.randrange(1000) for when in rng.moments(count)]
    moments[BURST] = moments[BURST][:1] * len(moments[BURST])
    rows = []
    for number, when in enumerate(moments):
        who = rng.randrange(len(dataset.authors))
        user = None if number % 9 == 0 else (dataset.persons.staff[who].name, dataset.authors[who])
        rows.append(audit_event(rng, number, when=when, user=user))
    rows.sort(key=lambda row: int(row["creationDate"]))
    if rows:
        rows[0] = rows[0] | {"creationDate": str(rows[0]["creationDate"])}
    if len(rows) > TWIN + 1:
        rows[TWIN + 1] = rows[TWIN]
    return rows


def audit_event(rng: SeededRandom, number: int, *, when: int, user: tuple[str, str] | None) -> Row:
    """Return one audit event; `when` is in epoch milliseconds, no `user` means the system."""
    crew = f"crew-{CREWS[number % len(CREWS)]}"
    return {
        "author": SYSTEM if user is None else _author(*user),
        "remoteAddress": f"198.51.100.{rng.randrange(1, 250)}" if user else "",
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
