"""Does paging advance? The second page tells, and a third settles what it leaves open."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.findings import note, warning, wrong
from tap_analytics.commands.doctor.numbered import examine_counted
from tap_analytics.commands.doctor.pager import Relation, clause_of
from tap_analytics.commands.doctor.signs import param_for, signs, totals
from tap_analytics.pagination import (
    Auto,
    Cursor,
    End,
    HeaderCursor,
    NumberedPaging,
    Offset,
    PageNumber,
    SinglePage,
    dig,
    next_link,
    whole_number,
)

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.inquiry import Answer
    from tap_analytics.commands.doctor.pager import Pager
    from tap_analytics.commands.doctor.signs import Sign
    from tap_analytics.pagination import Query

_FEW, _ENOUGH = 2, 3


def examine_paging(pager: Pager) -> None:
    """Ask what there is to ask about the paging of a stream that has rows."""
    paging = pager.paging
    if isinstance(paging, NumberedPaging):
        _, link = next_link(pager.first.page)
        if link is None:
            examine_counted(pager)
        else:
            _follow(pager, pager.following or {})
    elif isinstance(paging, Auto):
        _examine_auto(pager)
    elif isinstance(paging, SinglePage):
        _examine_single(pager)
    elif pager.following is not None:
        _follow(pager, pager.following)
    else:
        _examine_end(pager)


# --- pages that the server names ----------------------------------------------------------------


def _follow(pager: Pager, following: Query) -> None:
    """Follow the cursor or link of the first page, and see whether the next one is another."""
    answer = pager.ask(following)
    found = pager.relation(answer)
    if found is Relation.SAME:
        _stands_still(pager, following)
        return
    pager.report.paging = "advances"
    if found is Relation.OVERLAP:
        known = set(pager.first.ids)
        count = sum(key in known for key in answer.ids)
        text = (
            f"{count} rows of the second page were on the first one: the order isn't stable, or "
            "the pages overlap."
        )
        pager.find(warning("overlap", text))
    if pager.next_of(answer) == following:
        _repeats(pager, answer)


def _stands_still(pager: Pager, following: Query) -> None:
    """The cursor led to the first page again: the parameter may have another name."""
    pager.report.paging = "repeats"
    paging = pager.paging
    if not isinstance(paging, Cursor):
        text = "The link to the next page leads to the first one again: the server doesn't advance."
        pager.find(wrong("cursor_ignored", text))
        return
    value = following[paging.cursor_param]
    path = paging.cursor_path
    by_name = [
        *(
            sign.paginator.get("cursor_param")
            for sign in signs(pager.first.page)
            if sign.paginator.get("cursor_path") == path
        ),
        param_for(path),
        "cursor",
        "after",
    ]
    guess = next(name for name in by_name if name and name != paging.cursor_param)
    answer = pager.probe({guess: value})
    text = f"The server ignores `{paging.cursor_param}`: the second page repeated the first."
    if answer is not None and pager.relation(answer) is Relation.NEW:
        text += f" It does honour `{guess}`."
        pager.find(wrong("cursor_ignored", text, paginator={"cursor_param": guess}))
    else:
        text += " Look up the parameter's name in the API's documentation: `cursor_param`."
        pager.find(wrong("cursor_ignored", text))


def _repeats(pager: Pager, second: Answer) -> None:
    """The second page names itself as the next: perhaps the right cursor stands elsewhere."""
    pager.report.paging = "repeats"
    before = {sign.where: sign.query for sign in signs(pager.first.page)}
    moving = [
        sign
        for sign in signs(second.page)
        if sign.where in before and before[sign.where] != sign.query
    ]
    text = "The cursor doesn't advance: the second page names the same next page as the first."
    for sign in moving[:1]:
        answer = pager.probe(sign.query)
        if answer is not None and pager.relation(answer) is Relation.NEW:
            text += f" The response has {sign.where}, which does."
            pager.find(wrong("cursor_repeated", text, paginator=sign.paginator))
            return
    pager.find(wrong("cursor_repeated", f"{text} The API has to hand out a new one on each page."))


# --- where the tap would stop -------------------------------------------------------------------


def _examine_end(pager: Pager) -> None:
    """The first page names no next one; see that there is none, and that paging works at all."""
    pager.report.paging = "one page"
    if _finds_more(pager):
        return
    if pager.is_full and pager.paginator.end is End.SINGLE:
        if _finds_numbers(pager, code="next_missing"):
            return
        text = (
            f"The first page is full, and the response has nothing at `{_where(pager)}`. If it is "
            "not all there is, look up in the API's documentation how it pages."
        )
        if not _says_more(pager):
            pager.find(warning("next_missing", text))
    elif pager.size >= _ENOUGH and pager.asked is not None:
        _try_few(pager)


def _where(pager: Pager) -> str:
    paging = pager.paging
    names = ("cursor_key",) if isinstance(paging, HeaderCursor) else ("cursor_path",)
    for name in (*names, "next_url_path", "links_next_key"):
        if hasattr(paging, name):
            return str(getattr(paging, name))
    return "the place of the next page"


def _try_few(pager: Pager) -> None:
    """Ask for two rows, so that a next page is named, and follow it."""
    few = pager.probe(pager.inquiry.limited(pager.first.page.query, _FEW))
    if few is None or len(few.rows) != _FEW:
        if few is not None and len(few.rows) == pager.size:
            param = pager.paging.limit_param
            text = f"The server ignores `{param}`: two rows were asked for, and all came."
            pager.find(note("limit_ignored", text))
        return
    following = pager.next_of(few)
    if following is None:
        found = signs(few.page)[:1]
        for sign in found:
            answer = pager.probe(pager.inquiry.limited(sign.query, _FEW))
            if answer is not None and answer.ids == pager.first.ids[2:4]:
                _tell_more(pager, sign)
        return
    answer = pager.probe(pager.inquiry.limited(following, _FEW))
    if answer is None:
        return
    if answer.ids == few.ids:
        _stands_still(pager, following)
    elif answer.ids == pager.first.ids[2:4]:
        pager.report.paging = "honoured"


def _finds_more(pager: Pager) -> bool:
    """Look for another way to the next page in the response, and try it."""
    found = signs(pager.first.page)
    for sign in found[:1]:
        answer = pager.probe(sign.query)
        if answer is not None and pager.relation(answer) in {Relation.NEW, Relation.OVERLAP}:
            _tell_more(pager, sign)
            return True
    return False


def _tell_more(pager: Pager, sign: Sign) -> None:
    pager.report.paging = "stops early"
    text = f"The tap would stop after the first page, but the response has {sign.where}."
    pager.find(wrong("next_missed", text, paginator=sign.paginator))


def _finds_numbers(pager: Pager, *, code: str) -> bool:
    """Try the usual parameters of counted pages, for a response that names no next page."""
    clause = _numbers(pager)
    if clause is None:
        return False
    pager.report.paging = "stops early"
    text = f"The tap would stop after the first page, but there is more: {_told(clause)}."
    pager.find(wrong(code, text, paginator=clause))
    return True


def _numbers(pager: Pager) -> dict[str, t.Any] | None:
    second = pager.probe({"page": "2"})
    if second is not None and pager.relation(second) is Relation.NEW:
        clause: dict[str, t.Any] = {"type": "page_number", "page_param": "page"}
        before = pager.probe({"page": "1"})
        if before is not None:
            is_first = pager.relation(before) is Relation.SAME
            # Rows without keys that differ each time may be the same ones, told anew.
            if not is_first and not _is_sure(pager):
                return None
            clause |= {"base_page": 1 if is_first else 0}
        return clause
    second = pager.probe({"offset": str(pager.size)}) if _is_sure(pager) else None
    if second is not None and pager.relation(second) is Relation.NEW:
        return {"type": "offset"}
    return None


def _is_sure(pager: Pager) -> bool:
    """Whether rows that look new are new ones."""
    return pager.is_keyed or bool(_said(pager))


def _said(pager: Pager) -> int:
    """Return the number of rows the response gives, if it is more than it holds."""
    return max((number for _, number in totals(pager.first.page) if number > pager.size), default=0)


def _says_more(pager: Pager) -> bool:
    """Tell that there are more rows than the tap can get at."""
    said = _said(pager)
    if said:
        text = (
            f"The response says that there are {said} rows, holds {pager.size}, and names no "
            "next page. Look up in the API's documentation how it pages."
        )
        # What the tap looks at itself would fail the stream.
        is_known = (pager.paging.total(pager.first.page) or 0) > pager.size
        pager.find((wrong if is_known else warning)("next_missed", text))
    return bool(said)


def _examine_single(pager: Pager) -> None:
    pager.report.paging = "one page"
    if not (_finds_more(pager) or _finds_numbers(pager, code="next_missed")):
        _says_more(pager)


# --- paging as the response shows it ------------------------------------------------------------


def _examine_auto(pager: Pager) -> None:
    """Find out which paginator it is, so that it can be written down."""
    following = pager.following
    if following is None:
        _examine_auto_end(pager)
        return
    clause = _shown(pager, following)
    _follow(pager, following)
    if pager.report.paging == "advances":
        _write_down(pager, clause)


def _shown(pager: Pager, following: Query) -> dict[str, t.Any]:
    for sign in signs(pager.first.page):
        if sign.query == following:
            return sign.paginator
    payload = pager.first.page.payload
    total = {} if whole_number(dig(payload, "total")) is None else {"total_path": "total"}
    if "offset" in following:
        return clause_of(Offset())
    return clause_of(PageNumber(base_page=whole_number(dig(payload, "page")))) | total


def _examine_auto_end(pager: Pager) -> None:
    pager.report.paging = "one page"
    if pager.paginator.end is not End.SINGLE:
        text = "The response says that the first page is the last; ask again when there are more."
        pager.find(note("auto", text))
        return
    if _finds_more(pager) or _finds_numbers(pager, code="next_missed"):
        return
    if not _says_more(pager):
        _write_down(pager, {"type": "single_page"})


def _write_down(pager: Pager, clause: dict[str, t.Any]) -> None:
    text = f"`auto` found {_told(clause)}. Write it down, so that the tap need not guess."
    pager.find(warning("auto", text, paginator=clause))


_TOLD = {
    "cursor": "a cursor at `{cursor_path}`, sent back as `{cursor_param}`",
    "header_cursor": "a cursor in the header `{cursor_key}`",
    "header_link": "the `Link` header",
    "json_link": "a link at `{next_url_path}`",
    "offset": "row numbers in `offset`",
    "page_number": "page numbers in `page`",
    "single_page": "nothing that names another page",
}


def _told(clause: dict[str, t.Any]) -> str:
    return _TOLD[clause["type"]].format(**{"cursor_path": "", "cursor_param": "", **clause})
