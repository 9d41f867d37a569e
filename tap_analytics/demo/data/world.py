"""The world the five APIs tell of: one seed and one scale decide every record in it.

Records are never edited in place: a change puts a new one in the old one's place. So what another
record embeds stays what it was, and a page once encoded stays right until `changed` is called.
"""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data import cast, declared, experimentation, learning, success, wiki
from tap_analytics.demo.data.dice import LAST_DAY, Dice, Row

V = t.TypeVar("V")


class World:
    """The records of every API, as the real services hold them.

    Attributes:
        tables: Records by stream name, in the order their API lists them by default; enrollments
            and single objects have homes of their own.
        enrollments: Enrollments by course id.
        singles: The objects of which there is one, by stream name.
        clock: Epoch seconds no record is younger than.
        steps: How many changes the world has seen.
    """

    def __init__(self, *, seed: int = 7, scale: float = 1.0, empty: t.Collection[str] = ()) -> None:
        self.seed = seed
        self.scale = scale
        self.clock = LAST_DAY
        self.steps = 0
        self.tables: dict[str, list[Row]] = {}
        self.enrollments: dict[str, list[Row]] = {}
        self.singles = experimentation.singles()
        self._memory: dict[t.Hashable, object] = {}
        self.cast = cast.gather(
            self.dice("cast"),
            staff=self.many(24, least=4),
            customers=self.many(260, least=12),
            companies=self.many(150, least=15),
        )
        self.authors = wiki.author_ids(self.dice("authors"), self.cast.staff)
        self._fill_learning()
        self._fill_experimentation()
        self._fill_wiki()
        self._fill_success()
        rows = declared.rows(self.dice("declared"), self.many(250))
        self.tables["declared_resource_name"] = rows
        for stream in empty:
            self._clear(stream)

    def dice(self, name: str) -> Dice:
        """Return the dice of that name: the same throws in every world of this seed."""
        return Dice(f"{self.seed}/{name}")

    def many(self, count: int, *, least: int = 3) -> int:
        """Return a count at this world's scale."""
        return max(least, round(count * self.scale))

    def remember(self, key: t.Hashable, make: t.Callable[[], V]) -> V:
        """Return what `make` says, asking it once between two changes."""
        if key not in self._memory:
            self._memory[key] = make()
        return t.cast("V", self._memory[key])

    def changed(self) -> None:
        """Forget what was derived from records that are no longer so."""
        self._memory.clear()

    def _clear(self, stream: str) -> None:
        if stream == "learning_course_enrollments":
            self.enrollments = {course: [] for course in self.enrollments}
        elif stream in self.tables:
            self.tables[stream] = []
            if stream == "learning_courses":
                self.enrollments = {}
        else:
            raise ValueError(f"empty names {stream!r}; it can be one of: {', '.join(self.tables)}")

    def _fill_learning(self) -> None:
        members = self.cast.customers[: self.many(120, least=10)]
        people = learning.people(self.dice("people"), members)
        courses = learning.courses(self.dice("courses"), self.many(12))
        self.tables |= {"learning_people": people, "learning_courses": courses}
        self.enrollments = learning.enrollments(
            self.dice("enrollments"), courses=courses, people=people, total=self.many(400)
        )

    def _fill_experimentation(self) -> None:
        users = experimentation.users(self.dice("experimenters"), self.cast.staff[: self.many(14)])
        labels = experimentation.labels(self.many(9))
        campaigns = experimentation.campaigns(
            self.dice("campaigns"), users=users, labels=labels, count=self.many(60)
        )
        accounts = experimentation.accounts(self.dice("workspaces"), self.many(4))
        widgets = experimentation.widgets(self.dice("widgets"), users=users, count=self.many(30))
        feeds = experimentation.feeds(
            self.dice("feeds"), users=users, campaigns=campaigns, count=self.many(130)
        )
        self.tables |= {
            "experimentation_accounts": accounts,
            "experimentation_accounts_feeds": feeds,
            "experimentation_users": users,
            "experimentation_campaigns": campaigns,
            "experimentation_custom_widgets": widgets,
            "experimentation_labels": labels,
        }

    def _fill_wiki(self) -> None:
        staff, authors = self.cast.staff, self.authors
        spaces = wiki.spaces(self.dice("spaces"), authors=authors, count=self.many(8))
        pages = wiki.pages(
            self.dice("pages"), authors=authors, spaces=spaces, count=self.many(140, least=12)
        )
        posts = wiki.blog_posts(
            self.dice("posts"), authors=authors, spaces=spaces, count=self.many(30)
        )
        audit = wiki.audit(self.dice("audit"), staff=staff, authors=authors, count=self.many(90))
        self.tables |= {
            "wiki_audit": audit,
            "wiki_group": wiki.groups(self.dice("groups"), self.many(12)),
            "wiki_pages": pages,
            "wiki_blog_posts": posts,
            "wiki_space": spaces,
        }

    def _fill_success(self) -> None:
        admins = success.admins(self.dice("admins"), self.cast.staff[: self.many(8)])
        accounts = success.accounts(self.dice("accounts"), cast=self.cast, admins=admins)
        users = success.users(self.dice("users"), cast=self.cast, accounts=accounts)
        about = {"accounts": accounts, "admins": admins}
        self.tables |= {
            "success_accounts": accounts,
            "success_admins": admins,
            "success_conversations": success.conversations(self.dice("talk"), self.many(90)),
            "success_notes": success.notes(self.dice("notes"), count=self.many(180), **about),
            "success_tasks": success.tasks(self.dice("tasks"), count=self.many(200), **about),
            "success_users": users,
        }
