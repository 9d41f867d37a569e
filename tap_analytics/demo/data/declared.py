"""The rows of the API that only its user can describe: neutral names, awkward numbers."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from tap_analytics.demo.data.dice import Dice, Row, iso

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.world import World

#: Values a double cannot hold stand among ordinary ones.
VALUES = (
    *(Decimal("12.75"), 0, Decimal("4200.50"), 9_007_199_254_740_993),
    *(Decimal("12345678901234567.89"), Decimal("-0.1"), None),
)


def fill(world: World) -> None:
    """Add the rows, in id order."""
    dice = world.dice("declared")
    world.tables["declared_resource_name"] = [
        row(dice, number, updated=updated)
        for number, updated in enumerate(dice.moments(world.many(250), shuffled=True))
    ]


def row(dice: Dice, number: int, *, updated: int) -> Row:
    """Return one row."""
    return {
        "id": f"r-{number + 1:06d}",
        "customer_id": f"cus-{dice.randrange(90)}",
        "user_key": dice.maybe(f"uk-{dice.randrange(4096):03x}", one_in=4),
        "name": dice.choice(("First row", None, "", "Größe ✓")),
        "value": VALUES[number % len(VALUES)],
        "active": number % 2 == 0,
        "tags": dice.choice(([], ["north", "pilot"])),
        "attributes": {"tier": "gold", "seats": dice.randrange(9)} if number % 2 else {},
        "created_at": iso(dice.moment(until=updated)),
        "updated_at": iso(updated),
    }
