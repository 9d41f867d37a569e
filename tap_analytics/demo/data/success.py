"""The success platform's accounts, users, admins, notes, tasks and conversations."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from tap_analytics.demo.data import success_extra
from tap_analytics.demo.data.dataset import LAST_DAY, Row, SeededRandom, iso_ms

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.dataset import Dataset, Person

DAY = 86_400
#: Two in fifteen accounts are churned: 20 of 150.
CHURNED = (3, 9)
MRR = (Decimal("4200.50"), Decimal("99.90"), Decimal("1250.00"), 800, 0, None)
#: An integer that a double can't represent: 2**53 + 1.
CONTRACT = 9_007_199_254_740_993
#: Fields of an account that are missing where it is embedded.
NOT_EMBEDDED = ("keyRoles", "segments")
SEGMENT = {"id": "cfd9d82b-2dfe-4136-9412-77f2fe9917cc", "name": "Enterprise fleet"}


def fill(dataset: Dataset) -> None:
    """Add an account per company, a user per customer, and what admins write about accounts."""
    staff, customers, companies = dataset.persons
    rng = dataset.rng("admins")
    admins = [_admin(rng, *each) for each in enumerate(staff[: dataset.many(8)])]
    organizations = success_extra.organization_ids(dataset)
    rng = dataset.rng("accounts")
    updates = rng.moments(len(companies), shuffled=True)
    accounts = [
        _account(rng, number, name=firm.name, updated=updated)
        | {"usersCount": sum(who.company == number for who in customers)}
        | {"organizationId": organizations[number % 5] if number % 5 < len(organizations) else None}
        | _ownership(rng, admins)
        for number, (firm, updated) in enumerate(zip(companies, updates, strict=True))
    ]
    rng = dataset.rng("users")
    updates = rng.moments(len(customers), shuffled=True)
    users = [
        _user(rng, number, who=who, account=embedded(accounts[who.company]), updated=updated)
        for number, (who, updated) in enumerate(zip(customers, updates, strict=True))
    ]
    rng = dataset.rng("talk")
    conversations = [_conversation(rng, *each) for each in enumerate(rng.moments(dataset.many(90)))]
    dataset.tables |= {
        "success_accounts": accounts,
        "success_admins": admins,
        "success_conversations": conversations,
        "success_notes": _notes(dataset, accounts=accounts, admins=admins),
        "success_tasks": _tasks(dataset, accounts=accounts, admins=admins),
        "success_users": users,
    }
    success_extra.fill(dataset)


def _notes(dataset: Dataset, *, accounts: list[Row], admins: list[Row]) -> list[Row]:
    rng = dataset.rng("notes")
    notes = []
    for number, updated in enumerate(rng.moments(dataset.many(180)), 1):
        # Every tenth was imported without an account or an author.
        account = embedded(rng.choice(accounts)) if number % 10 else None
        author = rng.choice(admins) if number % 10 else None
        notes.append(note(rng, updated=updated, account=account, author=author))
    return notes


def _tasks(dataset: Dataset, *, accounts: list[Row], admins: list[Row]) -> list[Row]:
    rng = dataset.rng("tasks")
    return [
        _task(rng, *each, account=embedded(rng.choice(accounts)), admin=rng.choice(admins))
        for each in enumerate(rng.moments(dataset.many(200)))
    ]


def embedded(account: Row) -> Row:
    """Return an account as embedded in other records, as of the time of writing."""
    return {name: value for name, value in account.items() if name not in NOT_EMBEDDED}


def _admin(rng: SeededRandom, number: int, who: Person) -> Row:
    return {
        "id": rng.uuid(),
        "name": who.name,
        "email": who.email,
        "licenseStatus": "active" if (number + 1) % 4 else "deactivated",
    }


def _account(rng: SeededRandom, number: int, *, name: str, updated: int) -> Row:
    churned = number % 15 in CHURNED
    created = rng.moment(until=updated)
    seen = iso_ms(rng.moment(created) * 1000)
    return {
        "id": rng.uuid(),
        "createdAt": iso_ms(created * 1000 + 9),
        "updatedAt": iso_ms(updated * 1000 + 118),
        "externalId": f"ext-{number + 1}",
        "name": name,
        "traits": _traits(rng, number),
        "organizationId": None,
        "mrr": None if churned else rng.choice(MRR),
        "healthScore": rng.choice((None, Decimal("7.8"), Decimal("9.1"), 10, 3)),
        "npsScore": rng.choice((None, Decimal("57.1"), -100, 0)),
        "nextRenewalDate": None if churned else iso_ms((LAST_DAY + DAY * number) * 1000),
        "churnedAt": iso_ms(updated * 1000) if churned else None,
        "trialEndDate": None,
        "firstSeenTimestamp": iso_ms(created * 1000),
        "lastSeenTimestamp": None if churned else seen,
        "lastInboundMessageTimestamp": rng.maybe(seen, one_in=2),
        "lastOutboundMessageTimestamp": rng.maybe(seen, one_in=2),
        "npsDetractorCount": rng.randrange(3),
        "npsPassiveCount": rng.randrange(5),
        "npsPromoterCount": rng.randrange(9),
    }


def _traits(rng: SeededRandom, number: int) -> Row:
    if number % 5 == 1:
        return {}
    return {
        "plan": rng.choice(("harbour", "harbour-plus", "")),
        "seats": rng.randrange(5, 400),
        "onboarded": rng.randrange(2) == 0,
        "vitally.custom.renewalStage": rng.choice(("negotiation", "signed", None)),
        "crm.field__c": rng.choice(("EMEA", 7, Decimal("12.5"), False, ["priority"])),
        "crm.contract_start": rng.moment() * 1000,
        "crm.contract_id": CONTRACT + number,
    }


def _ownership(rng: SeededRandom, admins: t.Sequence[Row]) -> Row:
    owner, csm = rng.choice(admins), rng.choice(admins)
    assigned = iso_ms(rng.moment() * 1000)
    role = {"id": rng.uuid(), "label": "Implementation lead", "createdAt": assigned}
    executive = rng.maybe(csm["id"], one_in=2)
    holder = {"id": rng.uuid(), "assignedAt": assigned, "createdAt": assigned}
    return {
        "accountOwnerId": owner["id"],
        "csmId": csm["id"],
        "accountExecutiveId": executive,
        "keyRoles": [{**holder, "keyRole": role, "vitallyUser": owner}],
        "segments": [SEGMENT],
    }


def _user(rng: SeededRandom, number: int, *, who: Person, account: Row, updated: int) -> Row:
    created = rng.moment(until=updated)
    answered = rng.randrange(3) == 0
    return {
        "id": rng.uuid(),
        "createdAt": iso_ms(created * 1000),
        "updatedAt": iso_ms(updated * 1000 + rng.choice((0, 0, 501))),
        "externalId": f"u-{number + 501}",
        "name": who.name,
        "email": who.email,
        "avatar": None,
        "traits": {"role": rng.choice(("captain", "crew", ""))} if number % 3 else {},
        "firstKnown": iso_ms(created * 1000),
        "joinDate": rng.maybe(iso_ms(created * 1000), one_in=4),
        "lastSeenTimestamp": rng.maybe(iso_ms(updated * 1000), one_in=4),
        "lastInboundMessageTimestamp": None,
        "lastOutboundMessageTimestamp": None,
        "npsLastScore": rng.randrange(11) if answered else None,
        "npsLastFeedback": rng.choice(("Solid", "Très bien 👍", "")) if answered else None,
        "npsLastRespondedAt": iso_ms(rng.moment(created) * 1000) if answered else None,
        "unsubscribedFromConversations": False,
        "unsubscribedFromConversationsAt": None,
        "deactivatedAt": None,
        "permanentlyBounced": number % 40 == 0,
        "segments": [],
        "accounts": [account],
        "organizations": [],
    }


def note(rng: SeededRandom, *, updated: int, account: Row | None, author: Row | None) -> Row:
    """Return one note."""
    created = rng.moment(updated - 30 * DAY, updated)
    text = rng.choice(("<p>Agreed next steps.</p>", "<p>They renewed 🎉</p>", ""))
    return {
        "id": rng.uuid(),
        "createdAt": iso_ms(created * 1000),
        "updatedAt": iso_ms(updated * 1000),
        "externalId": None if author else f"note-old-{created}",
        "organizationId": None,
        "accountId": account and account["id"],
        "categoryId": None,
        "authorId": author and author["id"],
        "subject": rng.maybe("Quarterly check", one_in=4),
        "note": text,
        "noteDate": iso_ms(created * 1000),
        "meetingDescription": None,
        "tags": rng.choice(([], ["qbr"], ["qbr", "risk"])),
        "users": [],
        "account": account,
        "organization": None,
        "author": author,
        "category": None,
        "archivedAt": None,
        "source": None,
        "traits": {"vitally.custom.mood": "good"} if author else {},
    }


def _task(rng: SeededRandom, number: int, updated: int, *, account: Row, admin: Row) -> Row:
    """Return a task; every other one is open, and due dates have no time of day."""
    done = number % 2 == 0
    created = rng.moment(updated - 30 * DAY, updated)
    return {
        "id": rng.uuid(),
        "createdAt": iso_ms(created * 1000),
        "updatedAt": iso_ms(updated * 1000),
        "externalId": None,
        "organizationId": None,
        "accountId": account["id"],
        "categoryId": None,
        "meetingId": None,
        "name": rng.choice(("Send security pack", "Book the QBR", "Chase invoice")),
        "description": rng.maybe("<p>Latest version.</p>", one_in=2),
        "completedAt": iso_ms(updated * 1000) if done else None,
        "archivedAt": None,
        "dueDate": rng.maybe(iso_ms((created + 3 * DAY) * 1000)[:10], one_in=5),
        "tags": rng.choice(([], ["security"])),
        "source": None,
        "category": None,
        "assignedToId": admin["id"],
        "assignedTo": admin,
        "completedById": admin["id"] if done else None,
        "completedBy": admin if done else None,
        "account": account,
        "organization": None,
        "projects": [],
        "traits": {},
    }


def _conversation(rng: SeededRandom, number: int, updated: int) -> Row:
    """Return a conversation; two of three are open."""
    return {
        "id": rng.uuid(),
        "createdAt": iso_ms(rng.moment(updated - 9 * DAY, updated) * 1000),
        "updatedAt": iso_ms(updated * 1000 + rng.choice((0, 0, 7))),
        "externalId": f"ticket-{number}",
        "externalUrl": rng.maybe(f"https://mail.example.com/t/{number}", one_in=2),
        "subject": rng.choice(("Renewal paperwork", None, "", "Überweisung")),
        "status": "open" if number % 3 else "closed",
        "rating": None if number % 3 else "satisfied",
        "source": rng.choice(("outlook", "zendesk")),
        "traits": {"zendesk.status": "solved", "zendesk.tags": ["billing"]},
    }
