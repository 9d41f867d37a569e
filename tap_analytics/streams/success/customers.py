"""Customers: organizations, accounts, the users at them, and what they answer."""

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
from tap_analytics.streams.success.traits import TraitStream


class Accounts(TraitStream):
    """Customer accounts, churned ones included."""

    name = "success_accounts"
    path = "/accounts"
    model = "accounts"
    setting_params = MappingProxyType({"status": "account_status"})
    references = MappingProxyType(
        {
            "organizationId": "success_organizations.id",
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


class Users(TraitStream):
    """Users at the customers, with the accounts they belong to."""

    name = "success_users"
    path = "/users"
    model = "users"
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


class Organizations(TraitStream):
    """Organizations, which accounts belong to."""

    name = "success_organizations"
    path = "/organizations"
    model = "organizations"
    selected_by_default = False
    references = MappingProxyType(
        {
            "organizationOwnerId": "success_admins.id",
            "csmId": "success_admins.id",
            "accountExecutiveId": "success_admins.id",
        }
    )
    schema = th.PropertiesList(
        string("id", "Identifier of the organization.", required=True),
        CREATED,
        UPDATED,
        EXTERNAL_ID,
        NAME,
        TRAITS,
        string("organizationOwnerId", "Admin who owns the organization."),
        string("csmId", "Admin who is its success manager."),
        string("accountExecutiveId", "Admin who is its executive."),
        number("mrr", "Monthly recurring revenue."),
        number("healthScore", "Health, from 0 to 10."),
        number("npsScore", "Net promoter score, from -100 to 100."),
        number("npsDetractorCount", "Number of detractors."),
        number("npsPassiveCount", "Number of passives."),
        number("npsPromoterCount", "Number of promoters."),
        number("usersCount", "Number of users."),
        number("accountsCount", "Number of accounts."),
        date_time("firstPaidDate", "When it paid first."),
        date_time("nextRenewalDate", "When it is renewed next."),
        date_time("trialEndDate", "When its trial ends."),
        date_time("churnedAt", "When it churned."),
        field("keyRoles", th.ArrayType(KEY_ROLE), "Who holds which role for it."),
        SEGMENTS,
    ).to_dict()


class NpsResponses(ChangingStream):
    """Answers to the question of the net promoter score."""

    name = "success_nps_responses"
    path = "/npsResponses"
    selected_by_default = False
    setting_params = MappingProxyType({"target": "nps_target"})
    references = MappingProxyType({"userId": "success_users.id"})
    schema = th.PropertiesList(
        string("id", "Identifier of the response.", required=True),
        CREATED,
        UPDATED,
        EXTERNAL_ID,
        string("userId", "User who answered."),
        number("score", "Answer, from 0 to 10."),
        string("feedback", "Words with the answer."),
        date_time("respondedAt", "When it was given."),
    ).to_dict()
