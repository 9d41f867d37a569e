"""The rows that every program reads: about 600 bytes, nested, with lists, dates and decimals."""

from __future__ import annotations

TIMES = ("created_at", "updated_at")


def row(number: int) -> dict[str, object]:
    """Return the row of that number, which is its `id`."""
    return {
        "id": number,
        "name": f"Customer {number} of the northern district",
        "email": f"customer.{number}@example.com",
        "status": ("active", "churned", "trial")[number % 3],
        "created_at": f"2023-0{number % 9 + 1}-1{number % 9}T08:{number % 60:02d}:00Z",
        "updated_at": f"2024-0{number % 9 + 1}-2{number % 9}T18:{number % 60:02d}:30.125Z",
        "mrr": number % 9973 + 0.25,
        "score": round(number % 1000 / 7, 4),
        "seats": number % 50,
        "owner": {"id": f"u-{number % 97}", "name": "Saskia Brandt", "active": True},
        "tags": ["north", "pilot", f"t{number % 10}"],
        "items": [
            {"sku": f"A-{number % 100}", "quantity": number % 7, "price": 12.5},
            {"sku": f"B-{number % 100}", "quantity": number % 5, "price": 3.75},
        ],
        "address": {"street": "Havenstraat 12", "city": "Rotterdam", "zip": "3011 AA"},
        "note": None,
        "external_id": f"ext-{number:08d}",
    }


def child(number: int) -> dict[str, object]:
    """Return the child row of that number; a parent has two, numbered after it."""
    return row(number) | {"parent_id": number // 2}


def _text(**more: str) -> dict[str, object]:
    return {"type": ["string", "null"], **more}


def _object(**properties: object) -> dict[str, object]:
    return {"type": ["object", "null"], "properties": properties}


def _list(items: object) -> dict[str, object]:
    return {"type": ["array", "null"], "items": items}


_INTEGER = {"type": ["integer", "null"]}
_NUMBER = {"type": ["number", "null"]}
_PROPERTIES: dict[str, object] = {
    "id": {"type": "integer"},
    "name": _text(),
    "email": _text(),
    "status": _text(),
    **{name: _text(format="date-time") for name in TIMES},
    "mrr": _NUMBER,
    "score": _NUMBER,
    "seats": _INTEGER,
    "owner": _object(id=_text(), name=_text(), active={"type": ["boolean", "null"]}),
    "tags": _list(_text()),
    "items": _list(_object(sku=_text(), quantity=_INTEGER, price=_NUMBER)),
    "address": _object(street=_text(), city=_text(), zip=_text()),
    "note": _text(),
    "external_id": _text(),
}

#: The full JSON schemas: whoever can take a declared schema gets them.
SCHEMA = {"type": "object", "properties": _PROPERTIES}
CHILD_SCHEMA = {
    "type": "object",
    "properties": {**_PROPERTIES, "parent_id": {"type": "integer"}},
}
