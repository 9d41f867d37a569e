"""Customers: accounts, and the users at them."""

from __future__ import annotations

from types import MappingProxyType

from singer_sdk import typing as th

from tap_analytics.streams.schema_types import boolean, date_time, field, number, string
from tap_analytics.streams.success.objects import (
    ACCOUNT,
    ACCOUNT_FIELDS,
    CREATED,
    EXTERNAL_ID,
    KEY_ROLE,
    LAST_INBOUND,
    LAST_OUTBOUND,
    NAME,
    ORGANIZATION,
    SEGMENTS,
    STRINGS,
    TRAITS,
    UPDATED,
)
from tap_analytics.streams.success.stream import ChangingStream


class Accounts(ChangingStream):
    """Customer accounts, churned ones included."""

    name = "success_accounts"
    path = "/accounts"
    setting_params = MappingProxyType({"status": "account_status"})
    references = MappingProxyType(
        {
            "accountOwnerId": "success_admins.id",
            "csmId": "success_admins.id",
            "accountExecutiveId": "success_admins.id",
        }
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the account.", required=True),
        *ACCOUNT_FIELDS,
        field("keyRoles", th.ArrayType(KEY_ROLE), "Who holds which role for it."),
        SEGMENTS,
    ).to_dict()


class Users(ChangingStream):
    """Users at the customers, with the accounts they belong to."""

    name = "success_users"
    path = "/users"
    references = MappingProxyType({"accounts.id": "success_accounts.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the user.", required=True),
        CREATED,
        UPDATED,
        EXTERNAL_ID,
        NAME,
        string("email", "Email address."),
        string("avatar", "Address of the picture."),
        TRAITS,
        date_time("firstKnown", "When the user became known."),
        date_time("joinDate", "When the user joined."),
        date_time("lastSeenTimestamp", "When seen last."),
        LAST_INBOUND,
        LAST_OUTBOUND,
        number("npsLastScore", "Last answer, from 0 to 10."),
        string("npsLastFeedback", "Words with that answer."),
        date_time("npsLastRespondedAt", "When it was given."),
        boolean("unsubscribedFromConversations", "Whether messages were declined."),
        date_time("unsubscribedFromConversationsAt", "When messages were declined."),
        date_time("deactivatedAt", "When deactivated."),
        boolean("permanentlyBounced", "Whether mail bounces."),
        SEGMENTS,
        field("accountIds", STRINGS, "Accounts the user belongs to."),
        field("accounts", th.ArrayType(ACCOUNT), "The accounts themselves."),
        field("organizationIds", STRINGS, "Organizations of the user."),
        field("organizations", th.ArrayType(ORGANIZATION), "The organizations themselves."),
    ).to_dict()
