"""The declarations of the built-in streams, held against the samples of the five APIs."""

from __future__ import annotations

import copy
import datetime as dt
import json
import logging
import re
from decimal import Decimal
from types import SimpleNamespace

import jsonschema
import pytest
from support.paths import FIXTURES

from tap_analytics.demo.data import filled
from tap_analytics.streams import APIS, experimentation, learning, success, wiki

SAMPLES = FIXTURES / "samples"
#: Rows of the streams that have no sample.
DATA = filled(scale=0.1)

#: stream, path, keys, replication key and its unit
TABLE = """
learning_people                 /people                               id          updated_at    iso
learning_courses                /courses                              id          updated_at    iso
learning_course_enrollments     /courses/{course_id}/enrollments      course_id+id            -   -
learning_course_activities      /courses/{course_id}/activities       course_id+id            -   -
learning_learning_paths         /learning-paths                       id                      -   -
learning_learning_path_enrollments /learning-paths/{learning_path_id}/enrollments \
                                                                      learning_path_id+id     -   -
learning_categories             /categories                           id                      -   -
learning_quizzes                /quizzes                              id                      -   -
learning_groups                 /groups                               id          updated_at    iso
learning_group_memberships      /groups/{group_id}/memberships        group_id+id             -   -
learning_activity_events        /events                               record_hash created_at    iso
learning_transcripts            /transcripts/{person_id}              person_id+id            -   -
learning_quiz_attempts          /webhooks                             id          created_at    iso
learning_quiz_attempt_answers   /quiz_attempts/{quiz_attempt_uuid}/answers \
                                                  quiz_attempt_uuid+id attempt_created_at       iso
experimentation_accounts        /accounts                             id                      -   -
experimentation_accounts_feeds  /accounts/{account}/feeds             id            when    epoch_s
experimentation_users           /accounts/{account}/users             id                      -   -
experimentation_campaigns       /accounts/{account}/campaigns         id                      -   -
experimentation_labels          /accounts/{account}/labels            id                      -   -
experimentation_custom_widgets  /accounts/{account}/changesets        id       updatedAt    epoch_s
experimentation_smartcode       /accounts/{account}/smartcode         uid                     -   -
experimentation_thresholds      /accounts/{account}/thresholds        uid                     -   -
experimentation_integrations    /accounts/{account}/integrations      uid                     -   -
experimentation_campaign_variations /accounts/{account}/campaigns/{campaign_id}/variations \
                                                                      campaign_id+id          -   -
experimentation_campaign_goals /accounts/{account}/campaigns/{campaign_id}/goals \
                                                                      campaign_id+id          -   -
experimentation_campaign_sections /accounts/{account}/campaigns/{campaign_id}/sections \
                                                                      campaign_id+id          -   -
experimentation_campaign_details /accounts/{account}/campaigns/{campaign_id} \
                                                                      campaign_id             -   -
experimentation_drafts          /accounts/{account}/drafts            draftId                 -   -
experimentation_metric_reports  /accounts/{account}/insights-metrics  id                      -   -
experimentation_projects        /accounts/{account}/projects          id                      -   -
experimentation_features        /accounts/{account}/features          id                      -   -
experimentation_websites        /accounts/{account}/websites          id                      -   -
wiki_audit                      /audit  creationDate+record_hash            creationDate   epoch_ms
wiki_group                      /group                                id                      -   -
wiki_pages                      /pages                                id           updatedAt    iso
wiki_blog_posts                 /blogposts                            id           updatedAt    iso
wiki_space                      /spaces                               id                      -   -
wiki_footer_comments            /footer-comments                      id           updatedAt    iso
wiki_inline_comments            /inline-comments                      id           updatedAt    iso
wiki_attachments                /attachments                          id           updatedAt    iso
wiki_tasks                      /tasks                                id           updatedAt    iso
wiki_labels                     /labels                               id                      -   -
wiki_page_labels                /pages/{page_id}/labels               page_id+id              -   -
wiki_blog_post_labels           /blogposts/{blog_post_id}/labels      blog_post_id+id         -   -
wiki_page_versions              /pages/{page_id}/versions             page_id+number          -   -
wiki_group_members              /group/{group_id}/membersByGroupId    group_id+accountId      -   -
success_accounts                /accounts                             id           updatedAt    iso
success_conversations           /conversations                        id           updatedAt    iso
success_notes                   /notes                                id           updatedAt    iso
success_tasks                   /tasks                                id           updatedAt    iso
success_users                   /users                                id           updatedAt    iso
success_admins                  /admins                               id                      -   -
success_organizations           /organizations                        id           updatedAt    iso
success_nps_responses           /npsResponses                         id           updatedAt    iso
success_messages                /conversations/{conversationId}       id  conversationUpdatedAt iso
success_projects                /projects                             id           updatedAt    iso
success_project_templates       /projectTemplates                     id                      -   -
success_project_categories      /projectCategories                    id                      -   -
success_note_categories         /noteCategories                       id                      -   -
success_task_categories         /taskCategories                       id                      -   -
success_meetings                /meetings                             id           updatedAt    iso
success_custom_objects          /customObjects                        id           updatedAt    iso
success_custom_object_instances /customObjects/{custom_object_id}/instances \
                                                         custom_object_id+id       updatedAt    iso
success_custom_fields           /customFields                         model+path              -   -
"""
DESIGNED = [tuple(line.split()) for line in TABLE.strip().splitlines()]

CLASSES = [cls for api in APIS for cls in api.streams]
each_stream = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)

VARIANTS = [
    (learning.People, "people_flat_spec_style"),
    (experimentation.Campaigns, "campaigns_flat_array"),
    (wiki.Pages, "pages_last_page"),
    (wiki.Pages, "pages_offset_spec_style"),
]

FORMATS = jsonschema.FormatChecker(formats=[])


@FORMATS.checks("date-time")
def is_moment(value):
    return not isinstance(value, str) or (
        "T" in value and _parses(dt.datetime.fromisoformat, value)
    )


@FORMATS.checks("date")
def is_day(value):
    return not isinstance(value, str) or _parses(dt.date.fromisoformat, value)


def _parses(parse, value):
    try:
        moment = parse(value)
    except ValueError:
        return False
    return not isinstance(moment, dt.datetime) or moment.tzinfo is not None


def stream(cls, **block):
    """Make an instance whose rows can be processed, without a tap around it."""
    logger = logging.getLogger("tap-analytics.test")
    surroundings = {"logger": logger, "connection": SimpleNamespace(settings=block)}
    return object.__new__(type(cls.__name__, (cls,), surroundings))


def sample_rows(cls, variant=None):
    resource = cls.name.removeprefix(f"{cls.api}_")
    name = f"{cls.api}/variants/{variant}.json" if variant else f"{cls.api}/{resource}.json"
    if not (SAMPLES / name).exists():
        return DATA.extra[cls.name][:50]
    node = json.loads((SAMPLES / name).read_text(), parse_float=Decimal)
    for step in cls.records_path:
        node = node[step]
    if isinstance(node, dict):
        node = node.get("partialCollection", [node])
    assert node
    return node


def parents_of(cls):
    """Return a context for a child stream: the key of a parent, of the type it has; else None."""
    names = re.findall(r"\{(\w+)\}", cls.path) if cls.parent_stream_type else []
    kinds = {name: cls.schema["properties"][name]["type"] for name in names if name != "account"}
    return {name: 7 if "integer" in kind else "7f" for name, kind in kinds.items()} or None


def processed(cls, rows):
    context, instance = parents_of(cls), stream(cls)
    return [{**(context or {}), **instance.post_process(row, context)} for row in rows]


def nodes(schema, path="$"):
    """Yield every sub-schema below the root with its path."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from nodes(child, f"{path}.{name}")
    if schema.get("items"):
        yield f"{path}[*]", schema["items"]
        yield from nodes(schema["items"], f"{path}[*]")


def undeclared(value, schema, path="$"):
    """Return the paths in a value that lie outside what a schema describes."""
    if isinstance(value, list):
        return [
            found for item in value for found in undeclared(item, schema.get("items", {}), path)
        ]
    known = schema.get("properties")
    if not isinstance(value, dict) or not known:
        return []
    return [f"{path}.{name}" for name in value if name not in known] + [
        found
        for name, child in value.items()
        if name in known
        for found in undeclared(child, known[name], f"{path}.{name}")
    ]


def with_nulls(value):
    """Yield copies of a value in each of which one nested member or item is null."""
    if not isinstance(value, dict | list):
        return
    for place in value if isinstance(value, dict) else range(len(value)):
        changed = copy.copy(value)
        changed[place] = None
        yield changed
        for child in with_nulls(value[place]):
            changed = copy.copy(value)
            changed[place] = child
            yield changed


def grown(value):
    """Return a copy of a value with one more field in every object of it."""
    if isinstance(value, dict):
        return {name: grown(child) for name, child in value.items()} | {"newField": [{"a": 1}]}
    return [grown(item) for item in value] if isinstance(value, list) else value


def with_php_empties(value):
    """Yield copies of a value in each of which one nested container is the other kind, empty."""
    for place in value if isinstance(value, dict) else range(len(value)):
        if not isinstance(value[place], dict | list):
            continue
        for child in [
            [] if isinstance(value[place], dict) else {},
            *with_php_empties(value[place]),
        ]:
            changed = copy.copy(value)
            changed[place] = child
            yield changed


def validator(cls):
    return jsonschema.Draft202012Validator(cls.schema, format_checker=FORMATS)


def declared(cls, attribute):
    """Return a class attribute that a module of streams sets, "-" where none does."""
    for owner in cls.__mro__:
        if owner.__module__.startswith("tap_analytics.streams.") and attribute in vars(owner):
            return vars(owner)[attribute]
    return "-"


def test_streams_are_declared_as_designed():
    found = [
        (
            cls.name,
            cls.path,
            "+".join(cls.primary_keys),
            declared(cls, "replication_key"),
            declared(cls, "replication_unit"),
        )
        for cls in CLASSES
    ]

    assert found == DESIGNED


@each_stream
def test_the_replication_key_is_a_column(cls):
    assert declared(cls, "replication_key") in {"-", *cls.schema["properties"]}


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.api == "wiki"], ids=lambda cls: cls.name)
def test_wiki_paths_know_their_version(cls):
    assert cls.version == (1 if cls in {wiki.Audit, wiki.Group, wiki.GroupMembers} else 2)


@each_stream
def test_streams_are_described_by_a_noun_phrase(cls):
    first, _, rest = cls.__doc__.partition("\n")

    assert first.endswith(".")
    assert not rest


@each_stream
def test_only_the_keys_are_required_and_not_nullable(cls):
    assert sorted(cls.schema["required"]) == sorted(cls.primary_keys)
    for name, column in cls.schema["properties"].items():
        assert ("null" in column["type"]) == (name not in cls.primary_keys), name


@each_stream
def test_everything_nested_is_nullable_open_and_described(cls):
    assert "additionalProperties" not in cls.schema
    for path, node in nodes(cls.schema):
        kinds = node.get("type")
        if path.count(".") > 1 or path.endswith("[*]"):
            assert kinds is None or "null" in kinds, path
            assert "required" not in node, path
        if kinds is not None and "object" in kinds and "array" not in kinds:
            assert node["additionalProperties"] is True, path
        if not path.endswith("[*]"):
            assert node["description"].endswith("."), path


@each_stream
def test_sample_rows_are_valid_and_wholly_declared(cls):
    for row in processed(cls, sample_rows(cls)):
        validator(cls).validate(row)
        assert undeclared(row, cls.schema) == []
        assert all(row[key] is not None for key in cls.primary_keys)


@pytest.mark.parametrize(("cls", "variant"), VARIANTS)
def test_odd_pages_hold_valid_rows(cls, variant):
    for row in processed(cls, sample_rows(cls, variant)):
        validator(cls).validate(row)
        assert undeclared(row, cls.schema) == []


@each_stream
def test_any_value_but_a_key_may_be_null(cls):
    row = processed(cls, sample_rows(cls))[0]
    tried = 0
    for changed in with_nulls(row):
        if any(changed[key] is None for key in cls.primary_keys):
            assert not validator(cls).is_valid(changed)
        else:
            validator(cls).validate(changed)
            tried += 1

    assert tried >= len(row) - len(cls.primary_keys)


@each_stream
def test_fields_of_tomorrow_are_valid_at_every_depth(cls):
    row = grown(processed(cls, sample_rows(cls))[0])

    assert undeclared(row, cls.schema)
    validator(cls).validate(row)


@pytest.mark.parametrize("cls", [experimentation.Campaigns, experimentation.AccountsFeeds])
def test_empties_may_come_as_the_other_container(cls):
    row = processed(cls, sample_rows(cls))[0]
    swapped = list(with_php_empties(row))

    assert swapped
    for changed in swapped:
        validator(cls).validate(changed)


@pytest.mark.parametrize(
    ("cls", "change"),
    [
        (success.Tasks, {"dueDate": "2024-07-03T00:00:00Z"}),
        (success.Tasks, {"updatedAt": "yesterday"}),
        (success.Tasks, {"tags": "security"}),
        (success.Accounts, {"traits": "plan"}),
        (success.Accounts, {"mrr": "4200.5"}),
        (learning.People, {"disabled": "no"}),
        (learning.People, {"updated_at": "2024-06-30T17:21:55"}),
        (wiki.Audit, {"creationDate": "1719830000123"}),
        (wiki.Pages, {"position": "first"}),
        (experimentation.AccountsFeeds, {"id": 7}),
        (experimentation.AccountsFeeds, {"when": "2024-07-01T00:00:00Z"}),
        (experimentation.Campaigns, {"labels": "q3"}),
    ],
)
def test_values_of_another_type_are_invalid(cls, change):
    row = processed(cls, sample_rows(cls))[0]
    assert validator(cls).is_valid(row)

    assert not validator(cls).is_valid({**row, **change})


def test_decimals_and_integers_are_valid_numbers():
    row = processed(success.Accounts, sample_rows(success.Accounts))[0]

    for value in (Decimal("4200.123456789012345678"), 4200, -0.5):
        validator(success.Accounts).validate({**row, "mrr": value})


def test_campaign_statistics_may_be_strings_or_numbers():
    row = processed(experimentation.Campaigns, sample_rows(experimentation.Campaigns))[0]

    for value in ("3.4", Decimal("3.4"), 3):
        changed = {**row, "stats": {**row["stats"], "expectedConversionRate": value}}
        validator(experimentation.Campaigns).validate(changed)


@pytest.mark.parametrize("operations", [None, [], ["read"], {}, {"operation": "read"}])
def test_operations_of_an_author_take_any_shape(operations):
    row = processed(wiki.Audit, sample_rows(wiki.Audit))[0]

    validator(wiki.Audit).validate({**row, "author": {**row["author"], "operations": operations}})
