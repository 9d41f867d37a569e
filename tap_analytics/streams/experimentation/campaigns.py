"""Campaigns, and what they consist of."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.streams.experimentation.objects import (
    GOALS,
    LABEL,
    PAGES,
    PERSON,
    STATS,
    URL,
    VARIATIONS,
)
from tap_analytics.streams.experimentation.stream import (
    EnvelopeOffset,
    ExperimentationStream,
    UndocumentedOffset,
)
from tap_analytics.streams.schema_types import (
    LooseArray,
    LooseObject,
    boolean,
    field,
    integer,
    number,
    string,
)

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record


class Campaigns(ExperimentationStream):
    """Campaigns of every type, deleted ones included."""

    name = "experimentation_campaigns"
    path = "/accounts/{account}/campaigns"
    references = MappingProxyType(
        {"createdBy.id": "experimentation_users.id", "labels.id": "experimentation_labels.id"}
    )
    schema = th.PropertiesList(
        integer("id", "Identifier of the campaign.", required=True),
        string("name", "Name of the campaign."),
        string("type", "Type: ab, split, heatmap and others."),
        string("platform", "Platform the campaign runs on."),
        string("status", "State: RUNNING, PAUSED and others."),
        boolean("isDeleted", "Whether the campaign was deleted."),
        boolean("isApprovalPending", "Whether it needs approval."),
        boolean("isBayesian", "Whether statistics are Bayesian."),
        integer("createdOn", "Creation time, epoch seconds."),
        field("createdBy", PERSON, "User who created the campaign."),
        number("primaryGoal", "Goal the campaign is judged by."),
        field("goals", GOALS, "Goals of the campaign."),
        field("variations", VARIATIONS, "Variations of the campaign."),
        field("labels", LooseArray(LABEL), "Labels of the campaign."),
        field("campaignGroup", LooseArray(th.AnyType), "Groups it belongs to."),
        field("associatedCampaign", LooseArray(th.AnyType), "Campaigns associated with this one."),
        field("pageGroupConfig", PAGES, "Pages the campaign runs on."),
        field("stats", STATS, "Statistical settings."),
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"campaign_id": record["id"]}


class CampaignPart(ExperimentationStream):
    """Base of what a campaign consists of: one request per campaign."""

    parent_stream_type = Campaigns
    paging: t.ClassVar[EnvelopeOffset] = UndocumentedOffset()
    selected_by_default = False
    primary_keys: tuple[str, ...] = ("campaign_id", "id")
    references = MappingProxyType({"campaign_id": "experimentation_campaigns.id"})


class CampaignVariations(CampaignPart):
    """Variations of each campaign."""

    name = "experimentation_campaign_variations"
    path = "/accounts/{account}/campaigns/{campaign_id}/variations"
    schema = th.PropertiesList(
        integer("campaign_id", "Campaign it belongs to.", required=True),
        integer("id", "Number of the variation, serial within its campaign.", required=True),
        string("name", "Name of the variation."),
        boolean("isControl", "Whether the others are compared with it."),
        boolean("isDisabled", "Whether it gets no traffic."),
        number("percentSplit", "Share of the traffic in percent."),
        integer("sectionId", "Section it belongs to; 1 but for multivariate campaigns."),
        field("editorData", LooseObject(), "Edits of the page, under `stack`."),
        string("heatmapThumbUrl", "Address of the heatmap's preview."),
        field("screenshots", LooseObject(), "Addresses of screenshots."),
    ).to_dict()


class CampaignGoals(CampaignPart):
    """Goals of each campaign."""

    name = "experimentation_campaign_goals"
    path = "/accounts/{account}/campaigns/{campaign_id}/goals"
    schema = th.PropertiesList(
        integer("campaign_id", "Campaign it belongs to.", required=True),
        integer("id", "Number of the goal within its campaign.", required=True),
        string("name", "Name of the goal."),
        string("type", "What the goal counts: visitPage, engagement, revenue and others."),
        boolean("isPrimary", "Whether the campaign is judged by it."),
        field("urls", LooseArray(URL), "Pages that count."),
        field("excludedUrls", LooseArray(URL), "Pages that don't count."),
        field("cssSelectors", LooseArray(th.StringType(nullable=True)), "Elements that count."),
        boolean("isCreatedInEditor", "Whether it was made in the visual editor."),
    ).to_dict()


class CampaignSections(CampaignPart):
    """Sections of each multivariate campaign."""

    name = "experimentation_campaign_sections"
    path = "/accounts/{account}/campaigns/{campaign_id}/sections"
    schema = th.PropertiesList(
        integer("campaign_id", "Campaign it belongs to.", required=True),
        integer("id", "Number of the section within its campaign.", required=True),
        string("name", "Name of the section."),
        string("cssSelector", "Element of the page that varies."),
        field("variations", LooseArray(LooseObject()), "Variations of the section."),
    ).to_dict()


class CampaignDetails(CampaignPart):
    """What the list of campaigns leaves out of each, results included where there are some."""

    name = "experimentation_campaign_details"
    path = "/accounts/{account}/campaigns/{campaign_id}"
    paging = EnvelopeOffset()
    primary_keys = ("campaign_id",)
    schema = th.PropertiesList(
        integer("campaign_id", "Campaign.", required=True),
        integer("id", "The campaign, as the API names it."),
        string("name", "Name of the campaign."),
        string("type", "Type: ab, split, heatmap and others."),
        string("status", "State: RUNNING, PAUSED and others."),
        integer("createdOn", "Creation time, epoch seconds."),
        field("createdBy", PERSON, "User who created the campaign."),
        number("percentTraffic", "Share of the visitors in percent."),
        boolean("isCrossDomainEnabled", "Whether conversions on other domains count."),
        string("primaryUrl", "Page the campaign was made on."),
        string("device", "Device the campaign was made for."),
        field("urls", LooseArray(URL), "Pages it runs on."),
        field("excludedUrls", LooseArray(URL), "Pages it leaves out."),
        field("labels", LooseArray(LABEL), "Labels of the campaign."),
        field("integrations", LooseObject(), "Links to other analytics products."),
        field("thresholds", LooseObject(), "Limits at which it counts as won or lost."),
        field("variations", LooseArray(LooseObject()), "Variations of the campaign."),
        field("sections", LooseArray(LooseObject()), "Sections of a multivariate campaign."),
        field("goals", LooseArray(LooseObject()), "Goals of the campaign."),
        field("variationGoalData", LooseArray(LooseObject()), "Results by variation and goal."),
        field("dataIntervalRange", LooseObject(), "Days the results are of."),
        field("schedules", LooseArray(LooseObject()), "When it starts and pauses."),
        field("stats", STATS, "Statistical settings."),
    ).to_dict()


class Drafts(ExperimentationStream):
    """Campaigns that are not published yet."""

    name = "experimentation_drafts"
    path = "/accounts/{account}/drafts"
    paging = UndocumentedOffset()
    selected_by_default = False
    primary_keys = ("draftId",)
    references = MappingProxyType({"createdBy.id": "experimentation_users.id"})
    schema = th.PropertiesList(
        integer("draftId", "Identifier of the draft.", required=True),
        string("name", "Name of the campaign to be."),
        string("type", "Type of the campaign to be."),
        string("status", "State: draft."),
        string("platform", "Platform the campaign is for."),
        integer("createdOn", "Creation time, epoch seconds."),
        integer("currentDraftStepIndex", "Step of the editor the draft has reached."),
        field("urls", LooseArray(URL), "Pages the campaign is for."),
        field("createdBy", PERSON, "User who created the draft."),
    ).to_dict()
