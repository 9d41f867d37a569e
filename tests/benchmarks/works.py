"""The comparisons: the rows of the table in `docs/performance.md`."""

from __future__ import annotations

import typing as t

from contenders import airbyte, bare_loop, dlt, rest_api_msdk, stock_tap, tap
from measure import Entry, Work

if t.TYPE_CHECKING:
    from collections.abc import Mapping

#: How often slow work is repeated; what takes half a minute varies little.
SLOW = 1

CONCURRENCIES = (1, 2, 4, 8, 16, 32)
WAITING = 0.1


def works(scale: int = 1) -> Mapping[str, Work]:
    """Return the works; a scale above 1 makes all of them smaller, to try them out."""
    field: dict[str, Entry] = {
        "bare loop": Entry(contender=bare_loop()),
        "stock SDK tap": Entry(contender=stock_tap),
        "Airbyte CDK": Entry(contender=airbyte),
        "dlt, iterated": Entry(contender=dlt("iterate"), checker=dlt("iterate", check=True)),
        "dlt, extracted": Entry(contender=dlt("extract"), checker=dlt("extract", check=True)),
    }
    waiting: dict[str, Entry] = {
        name: Entry(contender=entry.contender, checker=entry.checker, rounds=SLOW)
        for name, entry in field.items()
        if name != "bare loop"
    }
    return {
        "throughput": Work(
            title="pages of 1000 by offset, no latency",
            rows=200_000 // scale,
            size=1000,
            entries={
                "tap": Entry(contender=tap(8)),
                **field,
                "tap-rest-api-msdk": Entry(contender=rest_api_msdk, reshapes=True),
            },
        ),
        "small pages": Work(
            title="pages of 100 by cursor, no latency",
            rows=100_000 // scale,
            size=100,
            shape="cursor",
            entries={"tap": Entry(contender=tap(8)), **field},
        ),
        "latency": Work(
            title="200 pages of 1000 by offset, 100 ms each",
            rows=200_000 // scale,
            size=1000,
            latency=WAITING,
            entries={
                **{
                    f"tap, {width} at once": Entry(
                        contender=tap(width), rounds=3 if width > 4 else SLOW
                    )
                    for width in CONCURRENCIES
                },
                "tap, 16, no total": Entry(contender=tap(16), shape="offset-no-total"),
                "tap, 16, numbered pages": Entry(contender=tap(16), shape="pages"),
                "bare loop, 16 threads": Entry(contender=bare_loop(16)),
                **waiting,
            },
        ),
        "latency, cursor": Work(
            title="200 pages of 1000 by cursor, 100 ms each",
            rows=200_000 // scale,
            size=1000,
            shape="cursor",
            latency=WAITING,
            entries={
                "tap": Entry(contender=tap(16), rounds=2),
                "bare loop": Entry(contender=bare_loop(), rounds=2),
            },
        ),
        "latency, links": Work(
            title="300 pages of 100 by a link with the page number, 60 ms each",
            rows=30_000 // scale,
            size=100,
            shape="links",
            latency=0.06,
            entries={
                "tap, 1 at once": Entry(contender=tap(1), rounds=SLOW),
                "tap, 8 at once": Entry(contender=tap(8)),
            },
        ),
        "children": Work(
            title="1000 parents, one page of children each, 50 ms",
            rows=1000 // scale,
            size=100,
            latency=0.05,
            children=True,
            entries={
                "tap, 1 at once": Entry(contender=tap(1), rounds=SLOW),
                "tap, 16 at once": Entry(contender=tap(16)),
            },
        ),
        "streams": Work(
            title="six cursor streams of one API, 50 pages of 100 each, 100 ms",
            rows=5000 // scale,
            size=100,
            latency=WAITING,
            streams=6,
            entries={
                "tap, 1 at once": Entry(contender=tap(1), rounds=SLOW),
                "tap, 8 at once": Entry(contender=tap(8)),
            },
        ),
    }
