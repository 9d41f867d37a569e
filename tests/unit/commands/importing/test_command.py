"""Configurations of other tools become entries of `apis`, and each deviation is noted."""

from __future__ import annotations

import json
import re
from weakref import WeakSet

import pytest
import yaml
from support.paths import FIXTURES

from tap_analytics.commands.importing import import_file
from tap_analytics.commands.importing.command import main
from tap_analytics.transport import redaction

SECRET = "k9-very-secret-0451"


@pytest.fixture
def imported(tmp_path):
    """Import a text, or a value as JSON; returns the entry and the notes."""

    def read(content, name="shop.txt", **options):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        found, _ = import_file(str(path), **options)
        return found.entry, found.notes

    return read


@pytest.fixture
def command(tmp_path, capsys, monkeypatch):
    """Run the command on a value; returns code, stdout and stderr."""
    # Taps of earlier tests that are not collected yet have secrets such as `$SHOP_TOKEN`.
    monkeypatch.setattr(redaction, "_registries", WeakSet())

    def run(content, *options, name="shop.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        code = main([str(path), *options])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def config(*resources, **client):
    return {"client": {"base_url": "https://api.shop.com", **client}, "resources": [*resources]}


def item(**endpoint):
    return {"name": "items", "primary_key": "id", "endpoint": {"path": "/items", **endpoint}}


def endpoint_of(entry, index=0):
    return entry["resources"][index]["endpoint"]


# --- the command ----------------------------------------------------------------------------


def test_output_is_a_configuration_and_notes_go_to_stderr(command):
    code, out, err = command(config(item() | {"table_name": "x"}))

    assert code == 0
    assert json.loads(out)["apis"][0]["name"] == "shop"
    assert (
        err == "note: 1 of 1 streams\n"
        "note: resource 'items': `table_name` isn't supported: left out.\n"
    )


def test_json_holds_the_notes(command):
    code, out, err = command(config(item() | {"table_name": "x"}), "--json")

    assert (code, err) == (0, "")
    assert json.loads(out)["notes"] == ["resource 'items': `table_name` isn't supported: left out."]
    assert json.loads(out)["headline"] == "1 of 1 streams"


def test_description_taken_in_part_is_an_error_unless_it_is_accepted(command):
    odd = {"name": "odd", "retriever": {"type": "AsyncRetriever"}}
    requester = {"url_base": "https://api.shop.com", "path": "/items"}
    taken = {"name": "items", "retriever": {"requester": requester}}
    given = {"type": "DeclarativeSource", "streams": [taken, odd]}

    code, _, err = command(given)

    assert code == 1
    assert err.startswith("note: 1 of 2 streams\n")
    assert "\nerror: 1 of 2 streams is left out. Declare what you need of them; --partial" in err
    code, _, err = command(given, "--partial")
    assert code == 0
    assert "error:" not in err


def manifest(*streams):
    """Return a manifest of streams, each a name and more members of its retriever."""
    requester = {
        "url_base": "https://{{ config['shop'] }}.shop.com",
        "path": "/items",
        "authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config['token'] }}"},
    }
    kept = {"type": "RemoveFields", "field_pointers": [["*"]]}
    made = [
        {"name": name, "retriever": {"requester": requester, **more}, "transformations": [kept]}
        for name, more in streams
    ]
    return {"type": "DeclarativeSource", "streams": made}


def test_notes_that_differ_in_their_place_only_are_one_line(command):
    odd = {"type": "AsyncRetriever"}
    names = ("items", "orders", "carts", "people")
    given = manifest(*((name, {}) for name in names), ("reports", odd), ("exports", odd))

    code, out, err = command(given)
    lines = err.splitlines()

    assert (code, len(json.loads(out)["apis"][0]["resources"])) == (1, 4)
    assert lines[0] == "note: 4 of 6 streams"
    assert re.fullmatch("note: left out because [^:]+: 'reports', 'exports'\\.", lines[1])
    word = "transformations[0].field_pointers"
    places = f"streams[0].{word}, streams[1].{word}, streams[2].{word}"
    assert lines[2].startswith(f"note: {places} and 1 more: ")
    variables = "$SHOP_SHOP for `config.shop`, $SHOP_TOKEN for `config.token`"
    hint = "Declare what you need of them; --partial accepts that they are missing."
    assert lines[3:] == [
        f"note: variables to set: {variables}.",
        f"error: 2 of 6 streams are left out. {hint}",
    ]
    _, plain, _ = command(given, "--json")
    assert len(json.loads(plain)["notes"]) == 2 + 4 + 2


def test_description_of_which_no_stream_is_taken_is_an_error_whatever_is_accepted(command):
    given = manifest(("reports", {"type": "AsyncRetriever"}))
    reason = "its retriever is an AsyncRetriever"

    for options in ((), ("--partial",)):
        code, _, err = command(given, *options)
        assert code == 1
        assert err.splitlines() == [
            "note: 0 of 1 streams",
            f"note: streams[0]: the stream 'reports' is left out: {reason}.",
            "error: No stream can be imported.",
        ]


@pytest.mark.parametrize("auth", [{"type": "custom"}, "token"])
def test_signature_that_is_left_out_is_an_error_unless_it_is_accepted(auth, command):
    given = config(item(), auth=auth)

    code, _, err = command(given)

    assert code == 1
    assert "error: Nothing signs the requests. Set `auth`; --partial accepts" in err
    assert command(given, "--partial")[0] == 0


def test_yaml_has_short_objects_on_one_line(command):
    columns = {"id": {"type": "integer"}, "name": {"type": ["string", "null"]}}
    given = item(params={f"parameter_{number}": "value" for number in range(9)})
    _, text, _ = command(config(given | {"schema": {"properties": columns}}), "--yaml")
    lines = text.splitlines()

    assert "  client: {base_url: 'https://api.shop.com'}" in lines
    assert "    endpoint:" in lines
    assert "    schema: {properties: {id: {type: integer}, name: {type: [string, 'null']}}}" in [
        line.replace("    - ", "    ") for line in lines
    ]
    assert max(map(len, lines)) < 100


def test_yaml_says_the_same(command):
    given = config(item(), {"name": "orders", "endpoint": {"path": "/orders", "params": {"a": 1}}})
    _, plain, _ = command(given)
    _, as_yaml, _ = command(given, "--yaml")

    assert yaml.safe_load(as_yaml) == json.loads(plain)
    assert "&id" not in as_yaml


def test_entry_that_is_not_valid_is_printed_with_what_is_wrong(command):
    code, out, err = command(config(item(paginator={"type": "offset", "limit": "x"})))

    assert code == 1
    assert json.loads(out)["apis"][0]["resources"]
    assert "\nerror: apis[0] 'shop', resource 'items': `paginator.limit` must be a" in err
    assert json.loads(command(config(), "--json")[1])["problems"]


def test_name_and_address_can_be_given(command):
    code, out, _ = command(config(item()), "--name=store", "--base-url=https://b.example.org/v1")
    [entry] = json.loads(out)["apis"]

    assert code == 0
    assert (entry["name"], entry["client"]["base_url"]) == ("store", "https://b.example.org/v1")


def test_given_name_that_collides_with_a_built_in_stream_is_an_error(command):
    people = {"name": "people", "endpoint": "/people"}

    code, _, err = command(config(people), "--name=learning")
    assert code == 1
    assert "'learning_people' has the name of a built-in stream" in err
    assert command(config(people), name="learning.json")[0] == 0


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("source-shop/manifest.json", "shop"),
        ("source_shop.json", "shop"),
        ("shop_pipeline.json", "shop"),
        ("My Shop (v2).json", "my_shop_v2"),
        ("wiki.json", "wiki_api"),
    ],
)
def test_name_comes_from_the_file_or_its_folder(file, name, command, tmp_path):
    (tmp_path / file).parent.mkdir(exist_ok=True)

    assert json.loads(command(config(item()), name=file)[1])["apis"][0]["name"] == name


@pytest.mark.parametrize("document", ["declared", "experimentation", "learning", "success", "wiki"])
def test_documents_are_valid_under_a_name_of_their_own(document, capsys):
    """Their files are called like the built-in APIs, whose streams are there already."""
    assert main([str(FIXTURES / "specs" / f"{document}.md"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["apis"][0]["name"] == (document if document == "declared" else f"{document}_api")
    assert any("its base_url is an example" in note for note in said["notes"])


FILES = sorted([*(FIXTURES / "imports").iterdir(), *(FIXTURES / "specs").glob("*.md")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_was_imported_is_imported_again_as_it_is(path, command, capsys):
    assert main([str(path), "--name=once"]) == 0
    once = capsys.readouterr().out

    code, again, _ = command(once, "--name=once")

    assert (code, again) == (0, once)


# --- secrets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        config(item(), auth={"type": "bearer", "token": SECRET}),
        config(item(), auth={"token": SECRET}),
        config(item(), auth={"type": "api_key", "name": "k", "api_key": SECRET}),
        config(item(), auth={"type": "http_basic", "username": "u", "password": SECRET}),
        config(item(), auth={"type": "magic", "spell": SECRET}),
        config(item(), headers={"Authorization": f"Bearer {SECRET}"}),
        config(item(params={"api_key": SECRET})),
        config(item(headers={"X-Token": SECRET}, params={"also": SECRET})),
        config(item(method="POST", json={"password": SECRET}, paginator="single_page")),
        config(item(unknown=SECRET, paginator={"type": "offset", "token": SECRET})),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"], ["--yaml"]])
@pytest.mark.parametrize("form", ["json", "py"])
def test_literal_secret_is_never_printed(given, options, form, command):
    text = json.dumps(given) if form == "json" else f"config = {given!r}"

    _, out, err = command(text, *options, name=f"shop.{form}")

    assert SECRET not in out + err
    assert "$SHOP_" in out or "magic" in text or "unknown" in text


def test_literal_secret_becomes_a_variable_of_its_own(imported):
    given = config(
        item(headers={"X-Token": SECRET}),
        {"name": "orders", "endpoint": {"path": "/orders", "headers": {"X-Token": f"{SECRET}-2"}}},
    )
    entry, notes = imported(given)

    headers = [endpoint_of(entry, index)["headers"]["X-Token"] for index in (0, 1)]
    assert sorted(headers) == ["$SHOP_X_TOKEN", "$SHOP_X_TOKEN_2"]
    assert sum("may contain a secret" in note for note in notes) == 2


def test_short_secret_is_replaced_only_where_it_is_one(imported):
    given = config(item(params={"api_key": "open", "state": "open", "with_token": "true"}))

    entry, _ = imported(given)

    assert endpoint_of(entry)["params"] == {
        "api_key": "$SHOP_API_KEY",
        "state": "open",
        "with_token": "true",
    }


def test_credentials_in_an_address_are_left_out(imported):
    entry, notes = imported(config(item()) | {"client": {"base_url": "https://me:pw@api.shop.com"}})

    assert entry["client"]["base_url"] == "https://api.shop.com"
    assert notes[0].startswith("client: its base_url contains credentials: left out")
    assert "pw" not in str(notes)


@pytest.mark.parametrize("secret", ["hunter$A", "$ecret", "a${B}c", "$A$B", "Bearer $hush"])
def test_dollar_in_a_secret_makes_no_variable_of_it(secret, command):
    _, out, err = command(config(item(), auth={"type": "bearer", "token": secret}))

    assert json.loads(out)["apis"][0]["client"]["auth"]["token"] == "$SHOP_TOKEN"
    assert secret not in out + err


def test_variable_behind_its_scheme_stays(imported):
    headers = {"Authorization": "Bearer $SHOP_KEY", "X-Key": "${OTHER}"}

    entry, notes = imported(config(item(headers=headers)))

    assert endpoint_of(entry)["headers"] == headers
    assert notes == ()


# --- Python ---------------------------------------------------------------------------------


def test_python_values_that_need_no_running_are_read(imported):
    entry, notes = imported(
        """
from x import dlt, os, client
BASE = "https://api.shop.com"
PARTS = ["orders"]
def source(key=dlt.secrets.value, *, page: int = 50):
    return rest_api_source(dict(
        client={
            "base_url": f"{BASE}/v{2}" + "/eu",
            "auth": APIKeyAuth("X-Key", api_key=key, location="header"),
            "headers": {"X-Team": os.getenv("TEAM"), "X-Shop": dlt.config["shop.id"]},
        },
        resources=[
            {"name": "items", "endpoint": {
                "path": "items",
                "params": {"low": -1, "since": dlt.sources.incremental("at", initial_value="0")},
                "paginator": OffsetPaginator(limit=page, total_path=None),
            }},
            *PARTS,
        ],
    ))
""",
        "shop.py",
    )

    assert entry["client"] == {
        "base_url": "https://api.shop.com/v2/eu",
        "auth": {
            "type": "api_key",
            "name": "X-Key",
            "api_key": "$SHOP_KEY",
            "location": "header",
        },
        "headers": {"X-Team": "$TEAM", "X-Shop": "$SHOP_ID"},
    }
    items, orders = entry["resources"]
    assert orders == "orders"
    assert items["endpoint"] == {
        "path": "items",
        "params": {"low": -1},
        "paginator": {"type": "offset", "limit": 50, "total_path": None},
        "incremental": {"cursor_path": "at", "initial_value": "0", "start_param": "since"},
    }
    assert "line 9: dlt's setting `key` becomes $SHOP_KEY." in notes


def test_python_names_that_may_mean_more_than_one_thing_become_variables(imported):
    entry, notes = imported(
        """
URL = "https://a.shop.com"
URL = "https://b.shop.com"
KEYS = {"live": "k9-very-secret-0451"}
config = {
    "client": {
        "base_url": URL,
        "auth": {"type": "bearer", "token": KEYS["live"]},
        "headers": {"A": settings.TEAM, "B": settings["shop"], "C": f"{not_there}/x", "D": b"x"},
    },
    "resources": ["items", *more, 1 + 1, {**extra, "name": "orders", 5: 6}],
}
""",
        "shop.py",
    )

    assert entry["client"] == {
        "base_url": "$SHOP_URL",
        "auth": {"type": "bearer", "token": "$SHOP_TOKEN"},
        "headers": {
            "A": "$SHOP_TEAM",
            "B": "$SHOP_SHOP",
            "C": "${SHOP_NOT_THERE}/x",
            "D": "$SHOP_D",
        },
    }
    assert entry["resources"] == ["items"]
    assert "line 9: client.headers.D is an expression: it becomes $SHOP_D." in notes
    by_code = "known only by running the code (line 11)"
    assert f"resources[1]: is left out: resources[1] is the name `more`, {by_code}." in notes
    assert (
        "resource 'orders': is left out: resources[3] has a key that isn't a text, "
        f"{by_code}." in notes
    )
    assert "k9-very" not in str(notes)


def test_python_that_must_run_is_noted_with_its_line(imported):
    entry, notes = imported(
        """
config = {
    "client": {"base_url": url},
    "resources": [
        {"name": n, "endpoint": f"/{n}"} for n in NAMES
    ] or [],
}
more = {"client": {}, "resources": []}
""",
        "shop.py",
    )

    assert entry["client"]["base_url"] == "$SHOP_URL"
    assert notes[:3] == (
        "line 2: this description is imported; there are others at line 8.",
        "line 3: client.base_url is the name `url`: it becomes $SHOP_URL.",
        (
            "resources[0]: is left out: resources is a comprehension, known only by running the "
            "code (line 4)."
        ),
    )


# --- the words of dlt -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"path": "items?a=1&b=2&b=3 "}, {"path": "items", "params": {"a": "1", "b": ["2", "3"]}}),
        (
            {"paginator": {"type": "json_response", "next_key": "next"}},
            {"paginator": {"type": "json_link", "next_url_path": "next"}},
        ),
        (
            {"paginator": {"type": "offset", "limit": 5}, "params": {"limit": 9, "offset": 0}},
            {"paginator": {"type": "offset", "limit": 5}},
        ),
        (
            {"error_handler": {"retry_on_status_codes": [401, 429], "x": 1}},
            {"error_handler": {"retry_on_status_codes": [429]}},
        ),
    ],
)
def test_dlt_says_it_otherwise(given, made, imported):
    entry, notes = imported(config(item(**given), "shops"))

    assert endpoint_of(entry) == {"path": "/items", **made}
    assert notes


@pytest.mark.parametrize(
    "given",
    [
        {"incremental": {"cursor_path": "meta.a"}},
        {"params": {"shop": "{resources.shops.id}", "near": "{resources.shops.at.lat},1"}},
        {"params": {"since": "{incremental.start_value}"}, "incremental": {"cursor_path": "a"}},
        {"response_actions": [{"status_code": 404, "action": "ignore"}]},
        {"paginator": {"type": "page_number", "total_path": ""}},
        {"response_actions": [{"status_code": 404, "content": "none", "action": "ignore"}]},
    ],
)
def test_what_dlt_says_alike_is_kept(given, command):
    code, out, err = command(config(item(**given), "shops"))

    assert (code, err) == (0, "note: 2 of 2 streams\n")
    assert endpoint_of(json.loads(out)["apis"][0]) == {"path": "/items", **given}


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ({"write_disposition": "append"}, "`primary_key` is left out: rows are appended"),
        ({"selected": False}, "the catalog selects streams"),
        ({"table_name": "x"}, "`table_name` isn't supported"),
        ({"write_disposition": {"disposition": "merge", "strategy": "scd2"}}, "strategy` is left"),
        ({"write_disposition": "skip"}, "write_disposition 'skip' isn't known"),
    ],
)
def test_dlt_says_more_of_a_resource(given, note, command):
    code, _, err = command(config(item() | given))

    assert code == 0
    assert note in err


def test_notebook_is_read_for_its_code(command):
    code = ["%pip install dlt\n", f"source = {config(item())!r}\n", "!ls"]
    cells = [
        {"cell_type": "markdown", "source": ["# Shop"]},
        {"cell_type": "code", "source": code},
        {"cell_type": "code", "source": "source"},
    ]

    status, out, _ = command({"cells": cells, "nbformat": 4}, name="shop.ipynb")

    assert status == 0
    assert json.loads(out)["apis"][0]["resources"][0]["name"] == "items"


# --- a document -----------------------------------------------------------------------------


def test_document_is_read_for_its_dict_alone(command):
    document = """# Shop

At most 120 requests per minute.

```console
$ shop --help
```

~~~python
source = {"client": {"base_url": "https://api.shop.com"},
          "resource_defaults": {"primary_key": "id"},
          "resources": [{"name": "items", "endpoint": {"path": "/items"}}]}
~~~

### Items
- **Primary Key**: `sku`
"""

    code, out, _ = command(document, name="shop.md")

    assert code == 0
    [entry] = json.loads(out)["apis"]
    assert entry["resource_defaults"] == {
        "primary_key": "id",
        "endpoint": {"data_selector": "auto"},
    }
    assert entry["resources"] == [{"name": "items", "endpoint": {"path": "/items"}}]
    assert "requests_per_second" not in entry


def test_a_stream_that_is_left_out_is_noted_with_nothing_but_its_reason(command):
    """Its other notes say what would be different of a stream that isn't there."""
    odd = {"type": "AsyncRetriever", "$parameters": {"path": "/x"}}
    given = manifest(("items", {}), ("reports", odd))

    _, plain, _ = command(given, "--json")
    notes = [note for note in json.loads(plain)["notes"] if "config." not in note]

    assert {note.partition(":")[0] for note in notes} == {
        "streams[0].transformations[0].field_pointers",
        "streams[1]",
    }


def test_values_of_a_run_inside_lists_and_objects_are_written(command):
    """A value of a parent in a list of a body is a placeholder, as that of a row in an object."""
    requester = {"url_base": "https://api.shop.com", "path": "/items"}
    parent = {"name": "places", "retriever": {"requester": requester}}
    config = {"stream": parent, "parent_key": "id", "partition_field": "place"}
    router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [config]}
    body = {"http_method": "POST", "request_body_json": {"ids": "{{ [stream_partition.place] }}"}}
    field = {"path": ["origin"], "value": "{{ {'id': record.id} }}"}
    child = {
        "name": "items",
        "retriever": {"requester": requester | body, "partition_router": router},
        "transformations": [{"type": "AddFields", "fields": [field]}],
    }
    _, plain, _ = command({"type": "DeclarativeSource", "streams": [parent, child]}, "--json")
    said = json.loads(plain)

    [_, items] = said["apis"][0]["resources"]
    assert items["endpoint"]["json"] == {"ids": ["{resources.places.id}"]}
    assert items["processing_steps"] == [{"add_fields": {"origin": {"id": "{record.id}"}}}]
    assert not [note for note in said["notes"] if "`origin`" in note]


def in_code(*changes):
    """Return a manifest with a stream that extracts and changes rows by classes."""
    extractor = {"type": "CustomRecordExtractor", "class_name": "x.components.Places"}
    given = manifest(("items", {}), ("reports", {"record_selector": {"extractor": extractor}}))
    upper = {"type": "CustomTransformation", "class_name": "x.components.Upper"}
    given["streams"][1]["transformations"] = [upper, *changes]
    return given


def test_what_needs_code_names_the_class_of_a_plugin(command):
    assert "`--plugin MODULE` takes it" in command(in_code())[2]
    code, plain, _ = command(in_code(), "--plugin", "no_such.shop_plugins", "--json")
    said = json.loads(plain)

    assert code == 1
    [items, reports] = said["apis"][0]["resources"]
    assert "plugin" not in items
    assert reports["plugin"] == "no_such.shop_plugins:PlacesUpper"
    [problem] = said["problems"]
    assert "'no_such.shop_plugins' can't be imported" in problem
    assert {note.rpartition("needs code: ")[2] for note in said["notes"] if "code" in note} == {
        "`select` of a class in `no_such.shop_plugins` does what Places does.",
        "`post_process` of a class in `no_such.shop_plugins` does what Upper does.",
    }


def test_steps_behind_a_class_leave_the_stream_out(command):
    """A resource has its steps before its class."""
    given = in_code({"type": "AddFields", "fields": [{"path": ["a"], "value": "1"}]})

    _, _, err = command(given, "--plugin", "shop_plugins")

    assert "'reports' is left out: its rows are changed by AddFields after a class." in err


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ({"record_selector": {"extractor": {"class_name": "x.components.Rows"}}}, "extracted by"),
        ({"partition_router": {"class_name": "x.components.Rows"}}, "it is partitioned by"),
        (
            {
                "paginator": {
                    "type": "DefaultPaginator",
                    "pagination_strategy": {"class_name": "Rows"},
                }
            },
            "its pagination is",
        ),
    ],
    ids=["extractor", "router", "pagination"],
)
def test_a_component_that_names_a_class_and_no_type_needs_code(member, reason, command):
    """Read as the usual component of its place, it would bring other rows."""
    _, _, err = command(manifest(("items", {}), ("reports", member)))

    assert err.startswith("note: 1 of 2 streams\n")
    assert re.search(rf"'reports' is left out: .*{reason} Rows[. ]", err)
