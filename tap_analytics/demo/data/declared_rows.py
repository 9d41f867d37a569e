"""Rows of the declared API, with numbers that a float can't represent."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from tap_analytics.demo.data.dataset import Row, SeededRandom, iso

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.dataset import Dataset

#: Some values can't be represented by a double.
VALUES = (
    *(Decimal("12.75"), 0, Decimal("4200.50"), 9_007_199_254_740_993),
    *(Decimal("12345678901234567.89"), Decimal("-0.1"), None),
)


def fill(dataset: Dataset) -> None:
    """Add the rows, in id order."""
    rng = dataset.rng("declared")
    dataset.tables["declared_resource_name"] = [
        row(rng, number, updated=updated)
        for number, updated in enumerate(rng.moments(dataset.many(250), shuffled=True))
    ]


def row(rng: SeededRandom, number: int, *, updated: int) -> Row:
    """Return one row."""
    return {
        "id": f"r-{number + 1:06d}",
        "customer_id": f"cus-{rng.randrange(90)}",
        "user_key": rng.maybe(f"uk-{rng.randrange(4096):03x}", one_in=4),
        "name": rng.choice(("First row", None, "", "Größe ✓")),
        "value": VALUES[number % len(VALUES)],
        "active": number % 2 == 0,
        "tags": rng.choice(([], ["north", "pilot"])),
        "attributes": {"tier": "gold", "seats": rng.randrange(9)} if number % 2 else {},
        "created_at": iso(rng.moment(until=updated)),
        "updated_at": iso(updated),
    }
