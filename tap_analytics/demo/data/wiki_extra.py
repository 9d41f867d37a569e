"""The wiki's comments, attachments, tasks and labels, and the members of its groups."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data.dataset import Row, SeededRandom, iso_ms

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.demo.data.dataset import Dataset

SUBJECTS = ("runbook", "draft", "tide-tables", "naïve", "crew")
RESOLUTIONS = ("open", "resolved", "reopened", "dangling")


def fill(
    dataset: Dataset, *, pages: Sequence[Row], posts: Sequence[Row], groups: Sequence[Row]
) -> None:
    """Add the records; every eleventh container is a blog post."""
    rng = dataset.rng("wiki extra")
    places = [
        {"blogPostId": rng.choice(posts)["id"]}
        if number % 11 == 0
        else {"pageId": rng.choice(pages)["id"]}
        for number in range(dataset.many(40))
    ]
    footer = _footer(rng, places, dataset.authors)
    inline = [
        _inline(rng, _comment(rng, 9_000 + 3 * n, place, dataset.authors))
        for n, place in enumerate(places[::2])
    ]
    of_page = {page["id"]: page["spaceId"] for page in (*pages, *posts)}
    dataset.extra |= {
        "wiki_footer_comments": footer,
        "wiki_inline_comments": inline,
        "wiki_attachments": [
            _attachment(rng, *each, dataset.authors) for each in enumerate(places)
        ],
        "wiki_tasks": [
            _task(rng, *each, space=of_page[next(iter(each[1].values()))], authors=dataset.authors)
            for each in enumerate(places)
        ],
        "wiki_page_labels": _page_labels(rng, pages),
        "wiki_group_members": [
            {"group_id": group["id"]} | _member(dataset, who)
            for group in groups
            for who in sorted(rng.sample(range(len(dataset.authors)), 3))
        ],
    }
    _fill_labels(dataset, pages=pages, posts=posts)


def _footer(rng: SeededRandom, places: Sequence[Row], authors: Sequence[str]) -> list[Row]:
    """Return a comment in each place, every seventh of them with an answer."""
    footer = [_comment(rng, 5_000 + 3 * n, place, authors) for n, place in enumerate(places)]
    for number, comment in enumerate(footer[1::7]):
        comment["parentCommentId"] = footer[7 * number]["id"]
    return footer


def _fill_labels(dataset: Dataset, *, pages: Sequence[Row], posts: Sequence[Row]) -> None:
    """Add the labels of the site and of blog posts, and some versions of each page."""
    rng = dataset.rng("wiki labels")
    kept = ("createdAt", "message", "number", "minorEdit", "authorId")
    dataset.extra |= {
        "wiki_labels": [_label(name) for name in SUBJECTS],
        "wiki_blog_post_labels": [
            {"blog_post_id": post["id"]} | _label(rng.choice(SUBJECTS)) for post in posts
        ],
        "wiki_page_versions": [
            {"page_id": page["id"]}
            | {name: page["version"][name] for name in kept}
            | {"number": number}
            for page in pages
            for number in range(1, 1 + min(2, page["version"]["number"]))
        ],
    }


def _page_labels(rng: SeededRandom, pages: Sequence[Row]) -> list[Row]:
    return [
        {"page_id": page["id"]} | _label(name)
        for page in pages
        for name in rng.sample(SUBJECTS, rng.choice((0, 1, 2)))
    ]


def _label(name: str) -> Row:
    return {"id": str(700 + SUBJECTS.index(name)), "name": name, "prefix": "global"}


def _version(rng: SeededRandom, edited: int, author: str) -> Row:
    return {
        "createdAt": iso_ms(edited * 1000 + rng.choice((0, 0, 4, 930))),
        "message": "",
        "number": rng.randrange(1, 4),
        "minorEdit": False,
        "authorId": author,
    }


def _comment(rng: SeededRandom, number: int, place: Row, authors: Sequence[str]) -> Row:
    text = {"representation": "storage", "value": f"<p>Comment {number} ⚓</p>"}
    return {
        "id": str(number),
        "status": "current",
        "title": "Re: Minutes",
        **place,
        "version": _version(rng, rng.moment(), rng.choice(authors)),
        "body": {"storage": text},
        "_links": {"webui": f"/comments/{number}"},
    }


def _inline(rng: SeededRandom, comment: Row) -> Row:
    """Return a comment on a passage; some were resolved after their last edit."""
    state = rng.choice(RESOLUTIONS)
    resolved = state in {"resolved", "reopened"}
    return comment | {
        "resolutionStatus": state,
        "resolutionLastModifierId": comment["version"]["authorId"] if resolved else None,
        "resolutionLastModifiedAt": "2025-06-29T12:00:00.000Z" if resolved else None,
        "properties": {"inlineMarkerRef": f"m{comment['id']}", "inlineOriginalSelection": "tide"},
    }


def _attachment(rng: SeededRandom, number: int, place: Row, authors: Sequence[str]) -> Row:
    edited = rng.moment()
    return {
        "id": f"att{65_537 + number}",
        "status": {1: "archived", 5: "trashed"}.get(number % 9, "current"),
        "title": f"{rng.choice(SUBJECTS)}-{number}.pdf",
        "createdAt": iso_ms(rng.moment(until=edited) * 1000),
        **place,
        "mediaType": "application/pdf",
        "mediaTypeDescription": rng.maybe("PDF document", one_in=3),
        "comment": "",
        "fileId": rng.uuid(),
        "fileSize": rng.randrange(100, 9_000_000),
        "webuiLink": f"/pages/viewpageattachments.action?preview={number}",
        "downloadLink": f"/download/attachments/{number}",
        "version": _version(rng, edited, rng.choice(authors)),
        "_links": {"webui": f"/attachments/{number}"},
    }


def _task(rng: SeededRandom, number: int, place: Row, *, space: str, authors: Sequence[str]) -> Row:
    updated, done = rng.moment(), number % 3 == 0
    created = rng.moment(until=updated)
    return {
        "id": str(300 + number),
        "localId": str(number % 4),
        "spaceId": space,
        **place,
        "status": "complete" if done else "incomplete",
        "body": {"storage": {"representation": "storage", "value": f"Check berth {number}"}},
        "createdBy": rng.choice(authors),
        "assignedTo": rng.maybe(rng.choice(authors), one_in=4),
        "completedBy": rng.choice(authors) if done else None,
        "createdAt": iso_ms(created * 1000),
        "updatedAt": iso_ms(updated * 1000),
        "dueAt": None,
        "completedAt": iso_ms(updated * 1000) if done else None,
    }


def _member(dataset: Dataset, who: int) -> Row:
    person = dataset.persons.staff[who]
    return {
        "type": "known",
        "accountId": dataset.authors[who],
        "accountType": "atlassian",
        "email": person.email,
        "publicName": person.first,
        "displayName": person.name,
        "timeZone": None,
        "isGuest": False,
        "_expandable": {"operations": "", "personalSpace": ""},
        "_links": {"self": f"/rest/api/user?accountId={dataset.authors[who]}"},
    }
