"""Pages that are counted: does the server honour the number, and in which unit does it count?

Where the first page holds everything, two rows asked for from a small number tell: rows 2 and 3
are an offset, the next pair is a page.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from tap_analytics.commands.doctor.findings import note, warning, wrong
from tap_analytics.commands.doctor.pager import FAR_PAGE, FAR_ROW, Relation
from tap_analytics.commands.doctor.signs import page_counts, signs
from tap_analytics.commands.doctor.sizes import checked_total
from tap_analytics.pagination import PageNumber, dig, whole_number

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.inquiry import Answer
    from tap_analytics.commands.doctor.pager import Pager
    from tap_analytics.pagination import NumberedStrategy, PageToken

#: Rows that a small page has, and rows it takes to tell where it begins.
_FEW, _ENOUGH = 2, 3


class Counted:
    """The examination of one stream whose pages are counted."""

    def __init__(self, pager: Pager) -> None:
        self.pager = pager
        self.paging = t.cast("NumberedStrategy", pager.paging)
        self.param = self.paging.number_param
        self.by_page = isinstance(self.paging, PageNumber)
        self.began = whole_number(pager.first.page.query.get(self.param)) or 0

    def examine(self) -> None:
        """Ask for the second page, and for another that settles what it leaves open."""
        pager = self.pager
        answer = self._second()
        if self.by_page and self._is_shifted(answer):
            pager.report.paging = "overlaps"
            self._other_unit()
            return
        match pager.relation(answer):
            case Relation.NEW:
                self._goes_on()
            case Relation.OVERLAP:
                pager.report.paging = "overlaps"
                pager.find_overlap(answer)
            case Relation.EMPTY:
                self._all_on_one()
            case Relation.SAME:
                self._repeats()

    def _second(self) -> Answer:
        """Return the second page, by row number asked for as a run does: with the row before it."""
        pager, ids = self.pager, self.pager.first.ids
        if self.by_page:
            return pager.ask(self._number(self.began + 1))
        if len(ids) > 1 and pager.is_keyed:
            early = pager.inquiry.ask(self._number(self.began + len(ids) - 1))
            if early.ids[:1] == ids[-1:]:
                return pager.kept(replace(early, rows=early.rows[1:], ids=early.ids[1:]))
            pager.is_stable()
        return pager.ask(self._number(self.began + len(ids)))

    def _number(self, number: int) -> PageToken:
        return {**self.pager.first.page.query, self.param: str(number)}

    def _is_shifted(self, answer: Answer) -> bool:
        """Whether a page begins with the second row of the first one."""
        ids = self.pager.first.ids
        return len(ids) > 1 and answer.ids[: len(ids) - 1] == ids[1:]

    def _goes_on(self) -> None:
        pager = self.pager
        pager.report.paging = "advances"
        if self.by_page and not pager.is_stable():
            return
        if self.by_page and pager.is_declared and self.began:
            self._look_before()
        elif not self._knows_end:
            self._look_beyond()

    @property
    def _knows_end(self) -> bool:
        """Whether the response says where the tap stops, so that it asks for nothing beyond."""
        paging, payload = self.paging, self.pager.first.page.payload
        if not isinstance(paging, PageNumber):
            return self.pager.paginator.seen.total is not None
        # Of page numbers only a count of pages ends the walk.
        path = paging.total_path if paging.base_page is not None else None
        is_given = path is not None and whole_number(dig(payload, path)) is not None
        return is_given and paging.total(self.pager.first.page) is None

    def _look_before(self) -> None:
        """See whether there is a page before the one the walk begins with."""
        answer = self.pager.probe(self._number(self.began - 1))
        if answer is not None and self.pager.relation(answer) is Relation.NEW:
            text = (
                f"The server counts pages from {self.began - 1}: a walk that begins with "
                f"{self.param}={self.began} loses the first page."
            )
            self.pager.find(wrong("base_page", text, paginator={"base_page": self.began - 1}))

    def _look_beyond(self) -> None:
        """See whether a number beyond the end is answered with nothing, as it has to be."""
        answer = self.pager.probe(self._number(FAR_PAGE if self.by_page else FAR_ROW))
        if answer is not None and answer.rows:
            self._clamps(answer)

    def _clamps(self, answer: Answer) -> None:
        self.pager.report.paging = "clamped"
        change = self._total_word(answer)
        cure = "" if change else " Nothing in the response tells the end, so no setting helps."
        text = f"Beyond the end the server answers the last page again, not an empty one.{cure}"
        self.pager.find(wrong("clamped", text, paginator=change))

    def _total_word(self, clamped: Answer) -> dict[str, t.Any]:
        """Return where the response counts all rows, or all pages, and is seen to count right."""
        pager = self.pager
        if self.by_page:
            for path, count in page_counts(pager.first.page):
                last = pager.probe(self._number(self.began + count - 1))
                if last is not None and last.ids == clamped.ids:
                    return {"total_path": path, "base_page": self.began}
            return {}
        found = checked_total(pager)
        return {"total_path": found} if found else {}

    def _other_unit(self, *, base_page: int = 0) -> None:
        """Tell that the number counts pages where rows were expected, or the other way round."""
        change: dict[str, t.Any] = {}
        if self.by_page and self.param == "page":
            text = "`page` counts rows, not pages, and the tap knows no offset of that name."
        elif self.by_page:
            change = {"type": "offset", "offset_param": self.param}
            text = f"`{self.param}` counts rows, not pages."
        else:
            change = {"type": "page_number", "page_param": self.param}
            change |= {"base_page": base_page}
            text = f"`{self.param}` counts pages from {base_page}, not rows."
        if change and self.paging.total_path and self.pager.paginator.seen.total is not None:
            change["total_path"] = self.paging.total_path
        self.pager.report.paging = "other unit"
        self.pager.find(wrong("unit", text, paginator=change))

    # --- all on one page ------------------------------------------------------------------------

    def _all_on_one(self) -> None:
        """Tell by two rows from a small number whether number and limit are honoured."""
        pager, ids = self.pager, self.pager.first.ids
        pager.report.paging = "one page"
        if pager.size < _ENOUGH or pager.asked is None:
            return
        answer = pager.probe(pager.inquiry.limited(self._number(self.began + 1), _FEW))
        if answer is None:
            return
        pair = answer.ids
        by_row, by_page = ids[1:3], ids[2:4]
        if pair == (by_page if self.by_page else by_row):
            pager.report.paging = "honoured"
        elif pair == (by_row if self.by_page else by_page):
            self._other_unit()
        elif pair == ids[:_FEW] and not self.by_page:
            self._other_unit(base_page=1)
        elif pair == ids[1:] or (self.by_page and not pair):
            self._limit_ignored()

    def _limit_ignored(self) -> None:
        param = self.paging.limit_param
        text = f"The server ignores `{param}`: two rows were asked for, and all the others came."
        self.pager.find(note("limit_ignored", text))

    # --- repeated pages -------------------------------------------------------------------------

    def _repeats(self) -> None:
        """Find out why the second page is the first: another way to page, or everything at once."""
        pager = self.pager
        pager.report.paging = "repeats"
        if self.by_page and self._counts_from_next():
            return
        for sign in signs(pager.first.page)[:1]:
            answer = pager.probe(sign.query)
            if answer is not None and pager.relation(answer) is Relation.NEW:
                text = f"The server ignores `{self.param}`. The response has {sign.where}."
                pager.find(wrong("number_ignored", text, paginator=sign.paginator))
                return
        if echoed := self._echoed():
            self._ignored(echoed, how="The response speaks of")
        elif pager.asked is not None and _ENOUGH <= pager.size < pager.asked:
            self._settle_short()
        else:
            self._settle_full()

    def _counts_from_next(self) -> bool:
        """See whether page 0 was page 1 under another name."""
        base = t.cast("PageNumber", self.paging).base_page
        if base:
            return False
        answer = self.pager.probe(self._number(self.began + 2))
        if answer is None or self.pager.relation(answer) is Relation.SAME:
            return False
        self.pager.report.paging = "advances"
        text = "The server counts pages from 1, and answers page 0 with the first one."
        tell = wrong if base == 0 else warning
        self.pager.find(tell("base_page", text, paginator={"base_page": 1}))
        return True

    def _echoed(self) -> dict[str, t.Any]:
        """Return the paging by another number that the response repeats, where it does."""
        payload = self.pager.first.page.payload
        changes = (
            ("offset", {"type": "offset", "offset_param": "offset"}),
            ("page", {"type": "page_number", "page_param": "page"}),
        )
        for name, change in changes:
            if name != self.param and (number := whole_number(dig(payload, name))) is not None:
                return change | ({"base_page": number} if name == "page" else {})
        return {}

    def _settle_short(self) -> None:
        pager, ids = self.pager, self.pager.first.ids
        answer = pager.probe(pager.inquiry.limited(self._number(self.began + 1), _FEW))
        pair = [] if answer is None else answer.ids
        if pair == (ids[2:4] if self.by_page else ids[1:3]):
            # A total says where to stop, so nothing beyond the end is asked for.
            pager.report.paging = "honoured"
            if not self._knows_end:
                self._clamps(pager.first)
        elif pair == ids[:_FEW]:
            self._ignored({})
        else:
            self._ignored({}, is_whole=True)

    def _settle_full(self) -> None:
        """Try the other usual parameter."""
        pager = self.pager
        if self.by_page:
            query, change = {"offset": str(pager.size)}, {"type": "offset"}
        else:
            query, change = {"page": "2"}, {"type": "page_number", "page_param": "page"}
        known = {name: value for name, value in self._number(0).items() if name != self.param}
        answer = pager.probe({**known, **query})
        if answer is not None and pager.relation(answer) is Relation.NEW:
            self._ignored(change)
        else:
            self._ignored({}, is_whole=pager.asked is None)

    def _ignored(
        self, change: dict[str, t.Any], *, how: str = "It does honour", is_whole: bool = False
    ) -> None:
        text = f"The server ignores `{self.param}`: the second page repeated the first."
        if change:
            text += f" {how} `{change.get('page_param', 'offset')}`."
        elif is_whole:
            # Nobody but the user can know that: it is never suggested.
            text += " If the API answers everything at once, declare `single_page`."
        else:
            text += " Look up in the API's documentation how it pages, and name it in `paginator`."
        # Where the end is shown otherwise, nothing is lost as long as one page holds everything.
        tell = warning if self.pager.now.is_good else wrong
        self.pager.find(tell("number_ignored", text, paginator=change))
