"""Objects nested in the rows of the experimentation platform.

An empty one may arrive as a list, and an empty list as an object.
"""

from __future__ import annotations

from singer_sdk import typing as th

from tap_analytics.streams.schema_types import (
    LooseArray,
    LooseObject,
    anything,
    boolean,
    field,
    number,
    string,
)

PERSON = LooseObject(
    number("id", "Identifier of the user."),
    string("name", "Name of the user."),
    string("imageUrl", "Address of the user's picture."),
)

FEED_CAMPAIGN = LooseObject(
    number("id", "Identifier of the campaign."),
    string("name", "Name of the campaign."),
    string("type", "Type of the campaign."),
    string("platform", "Platform the campaign runs on."),
    string("appPlatform", "Platform of the app."),
    number("goalId", "Goal the activity concerns."),
)

GOAL = LooseObject(
    number("id", "Identifier of the goal within its campaign."),
    string("name", "Name of the goal."),
    string("type", "What the goal counts."),
    boolean("isPrimary", "Whether the campaign is judged by it."),
    field("averageData", LooseArray(th.AnyType), "Averages measured."),
)
GOALS = LooseObject(
    number("offset", "Position of the first goal listed."),
    number("totalCount", "Number of goals."),
    field("partialCollection", LooseArray(GOAL), "The goals listed."),
)
VARIATIONS = LooseObject(
    number("totalCount", "Number of variations."),
    field("partialCollection", LooseArray(th.AnyType), "The variations listed, often none."),
)

LABEL = LooseObject(number("id", "Identifier of the label."), string("name", "Name of the label."))

PAGE_RULE = LooseObject(
    string("id", "Identifier of the rule."),
    string("queryElementType", "What the rule looks at."),
    number("operator", "Code of the comparison."),
    string("rOperandValue", "Value compared with."),
    field(
        "configurations",
        LooseObject(
            boolean("caseInsensitive", "Ignores case."),
            boolean("ignoreOnlyHashFrag", "Ignores fragments."),
            boolean("ignoreOnlyQueryParams", "Ignores queries."),
        ),
        "How the values are compared.",
    ),
)
PAGES = LooseObject(
    field("editorUrl", LooseArray(th.StringType(nullable=True)), "Addresses opened in the editor."),
    field("include", LooseArray(PAGE_RULE), "Pages the campaign runs on."),
    field("exclude", LooseArray(th.AnyType), "Pages it leaves out."),
)

# Untyped: settings below are strings or numbers, depending on the type of campaign.
STATS = LooseObject(
    boolean("delayDecision", "Whether a decision is delayed."),
    anything("expectedConversionRate", "Conversion rate expected."),
    anything("expectedDailyVisitors", "Visitors a day expected."),
    anything("expectedImprovementRate", "Improvement expected."),
    anything("expectedRevenuePerVisitor", "Revenue expected."),
    boolean("multipleCorrection", "Corrects for many variations."),
    boolean("pauseCampaignAfterFinalDay", "Whether the campaign pauses after its last day."),
    boolean("peekingCorrection", "Corrects for early looks."),
    anything("reportingVersion", "Version of the reporting."),
    anything("reportingView", "View of the reporting."),
    anything("testingApproach", "Statistical approach."),
    anything("thresholdOfCaring", "Smallest difference that matters."),
)

ENABLED = boolean("enabled", "Whether it is on.")
PREFIX = string("prefix", "Prefix of what is sent.")
SWITCH = LooseObject(ENABLED)
CLASSIC_ANALYTICS = LooseObject(ENABLED, PREFIX, number("slot", "Slot of the custom variable."))
UNIVERSAL_ANALYTICS = LooseObject(ENABLED, PREFIX, number("dimension", "Custom dimension used."))

URL = LooseObject(
    string("type", "How pages are compared: url, startsWith, regex and others."),
    string("value", "The address, or the pattern."),
)
ENVIRONMENT = LooseObject(
    number("id", "Identifier of the environment."),
    string("name", "Name of the environment."),
    boolean("isEnabled", "Whether new campaigns use it."),
    string("token", "SDK key of the environment."),
)
VARIABLE = LooseObject(
    number("id", "Identifier of the variable."),
    string("variableName", "Name of the variable."),
    string("dataType", "Type of its values."),
    anything("defaultValue", "Value without a campaign."),
)
