"""How a line of the display is set: cells in columns, numbers that fit, and never a wrap."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTE, _HOUR = 60, 3600
_NARROW, _WIDE = 70, 100
_LONGEST_BAR = 30

#: Styles by name, as the parameters of a terminal's SGR sequence.
STYLES = {"": "", "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

#: A piece of a line and its style.
Piece = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Signs:
    """The signs that need more than ASCII, or what stands for them."""

    done: str = "✓"
    failed: str = "✗"
    full: str = "━"
    empty: str = "─"
    cut: str = "…"


PLAIN = Signs(done="+", failed="x", full="=", empty="-", cut="~")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The columns of a window: mark, name, rows, rate, and the place for the rest."""

    columns: int
    #: The longest name that may come.
    longest: int
    signs: Signs

    @property
    def usable(self) -> int:
        """Columns that may be written to: a terminal may wrap a line that fills its last one."""
        return max(1, self.columns - 1)

    @property
    def is_narrow(self) -> bool:
        """Whether there is no room for a rate."""
        return self.usable < _NARROW

    @property
    def gap(self) -> str:
        """What stands between two columns."""
        return " " if self.is_narrow else "  "

    @property
    def rows(self) -> int:
        """Width of the number of rows."""
        return 11 if self.usable >= _WIDE else 9

    @property
    def rate(self) -> int:
        """Width of the rows per second."""
        return 0 if self.is_narrow else 8

    @property
    def name(self) -> int:
        """Width of the name."""
        least = 10 if self.is_narrow else 16
        return max(1, min(self.longest, self.usable - self._beside - least))

    @property
    def place(self) -> int:
        """Width of what is left."""
        return max(0, self.usable - self._beside - self.name)

    @property
    def _beside(self) -> int:
        """Columns of all but name and place: the mark, the numbers and the gaps."""
        gaps = 2 if self.is_narrow else 3
        return 2 + self.rows + self.rate + gaps * len(self.gap)

    def line(  # noqa: PLR0913 - what a line shows, each by its name
        self,
        name: str,
        rows: int,
        rate: float | None,
        place: Sequence[Piece],
        *,
        mark: Piece = (" ", ""),
        style: str = "",
    ) -> list[Piece]:
        """Set a line; without a rate the place begins where the rate would stand."""
        cells = [mark, (" ", ""), (self.named(name), style), (self.gap, "")]
        cells += [(number(rows, self.rows).rjust(self.rows), style), (self.gap, "")]
        if rate is not None and not self.is_narrow:
            per_second = f"{number(round(rate), self.rate - 2)}/s"
            cells += [(per_second.rjust(self.rate), style or "dim"), (self.gap, "")]
        return cut([*cells, *place], self.usable)

    def room(self, *, rate: bool = True) -> int:
        """Return the width of the place, with that of the rate if the line shows none."""
        return self.place if rate or self.is_narrow else self.place + self.rate + len(self.gap)

    def named(self, name: str) -> str:
        """Return a name in its column; of one that is too long the end, which tells more."""
        return shortened(name, self.name, self.signs).ljust(self.name)

    def bar(self, share: float) -> list[Piece]:
        """Return a bar with its percentage, or the percentage alone where no bar fits."""
        percent = f"{int(share * 100):>3} %"
        length = min(self.place - len(percent) - 1, _LONGEST_BAR)
        if length < 5:  # noqa: PLR2004 - a shorter one tells nothing
            return [(percent, "")]
        full = int(share * length)
        signs = self.signs
        return [
            (signs.full * full, "cyan"),
            (signs.empty * (length - full), "dim"),
            (f" {percent}", ""),
        ]


def shortened(name: str, width: int, signs: Signs) -> str:
    """Return a name, or as much of its end as fits."""
    return name if len(name) <= width else f"{signs.cut}{name[len(name) - width + 1 :]}"


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 retry`, `1,200 rows`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def first_that_fits(texts: Sequence[str], width: int) -> str:
    """Return the first text of at most this width, else as much of the last as fits."""
    return next((text for text in texts if len(text) <= width), texts[-1][:width])


def cut(pieces: Sequence[Piece], width: int) -> list[Piece]:
    """Return as much of a line as fits."""
    kept: list[Piece] = []
    for text, style in pieces:
        if width <= 0:
            break
        kept.append((text[:width], style))
        width -= len(text)
    return kept


def painted(pieces: Sequence[Piece], *, colour: bool) -> str:
    """Return a line as it is written, in colour or without."""
    if not colour:
        return "".join(text for text, _ in pieces).rstrip()
    return "".join(
        f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style and text.strip() else text
        for text, style in pieces
    )


def number(value: int, width: int) -> str:
    """Return a number with its thousands set apart, shortened only where it would not fit."""
    text = f"{value:,}"
    units = iter("kMGT")
    size = float(value)
    while len(text) > width and (unit := next(units, None)):
        size /= 1000
        text = f"{size:.1f}{unit}" if size < 100 else f"{size:,.0f}{unit}"  # noqa: PLR2004 - three digits tell enough
    return text


def clock(seconds: float) -> str:
    """Return a running time: `0:07`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """Return how long something took: `7.3 s`, `12:34`."""
    return f"{seconds:.1f} s" if seconds < _MINUTE else clock(seconds)


def wait(seconds: float) -> str:
    """Return how long something will still take, rounded up: `12 s`, `3 min`, `2 h`."""
    whole = -int(-seconds // 1)
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    return f"{-(-whole // _MINUTE)} min" if whole < 2 * _HOUR else f"{-(-whole // _HOUR)} h"
