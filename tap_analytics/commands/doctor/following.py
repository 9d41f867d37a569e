"""Pages that the server names: does its cursor, or its link, lead on?"""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.findings import wrong
from tap_analytics.commands.doctor.pager import Relation
from tap_analytics.commands.doctor.signs import param_for, signs
from tap_analytics.pagination import Cursor

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.inquiry import Answer
    from tap_analytics.commands.doctor.pager import Pager
    from tap_analytics.pagination import PageToken


def follow(pager: Pager, following: PageToken) -> None:
    """Follow the cursor or link of the first page, and see whether the next one is another."""
    answer = pager.ask(following)
    found = pager.relation(answer)
    if found is Relation.SAME:
        stands_still(pager, following)
        return
    pager.report.paging = "advances"
    if found is Relation.OVERLAP:
        pager.find_overlap(answer)
    if pager.next_of(answer) == following:
        _repeats(pager, answer)


def stands_still(pager: Pager, following: PageToken) -> None:
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
