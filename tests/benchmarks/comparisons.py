"""Compare what was measured: ratios of medians, with the aim of each."""

from __future__ import annotations

import typing as t
from statistics import median

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: What was done, what is compared, the ratio and the aim.
Row = tuple[str, str, str, str]

TIMES = "\N{MULTIPLICATION SIGN}"


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Lay out comparisons with their aims."""
    yield "| Work | Compared | Measured | Aim |"
    yield "| --- | --- | --- | --- |"
    work = ""
    for row in rows:
        shown = "" if row[0] == work else row[0]
        work = row[0]
        yield f"| {shown} | {' | '.join(row[1:])} |"


def walls(runs: Iterable[Mapping[str, float]]) -> list[float]:
    return [run["wall"] for run in runs]


def spread(over: Sequence[float], under: Sequence[float], *, digits: int = 1) -> tuple[float, str]:
    """Return the ratio of medians, and its text with the least and most of the turns.

    Only turns that both took part in count, so that both have met the same moments.
    """
    turns = list(zip(over, under, strict=False))
    ratio = median(above for above, _ in turns) / median(below for _, below in turns)
    text = f"{ratio:.{digits}f} {TIMES}"
    if len(turns) > 1:
        ratios = [above / below for above, below in turns]
        text += f" ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})"
    return ratio, text


def faster(
    title: str,
    other: str,
    theirs: Sequence[Mapping[str, float]],
    own: Sequence[Mapping[str, float]],
    *,
    aim: float | None,
) -> Row:
    """Tell how many times faster than others the tap is."""
    ratio, text = spread(walls(theirs), walls(own))
    if aim is None:
        return title, f"faster than {other}", text, ""
    return verdict(title, f"faster than {other}", text, f"≥ {aim:g} {TIMES}", ok=ratio >= aim)


def slower(
    title: str,
    label: str,
    own: Sequence[Mapping[str, float]],
    floor: Sequence[Mapping[str, float]],
    *,
    aim: float | None,
    digits: int = 2,
) -> Row:
    """Tell what part or multiple of a floor's time the tap takes."""
    ratio, text = spread(walls(own), walls(floor), digits=digits)
    if aim is None:
        return title, label, text, ""
    return verdict(title, label, text, f"≤ {aim:g} {TIMES}", ok=ratio <= aim)


def verdict(title: str, label: str, measured: str, aim: str, *, ok: bool) -> Row:
    """Mark whether an aim is reached."""
    return title, label, measured, f"{aim} {'✓' if ok else '✗'}"
