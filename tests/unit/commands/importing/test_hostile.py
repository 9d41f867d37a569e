"""Hostile and meaningless files: refused in one line, and nothing in them is run."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_analytics.commands.importing import import_file, loading
from tap_analytics.commands.importing.command import main
from tap_analytics.errors import InputError

KEY = "k9-very-secret-0451"


@pytest.fixture
def file(tmp_path):
    def write(content, name="shop.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def python(auth):
    return (
        f"x = {{'client': {{'base_url': 'https://a.b', 'auth': {auth}}}, 'resources': ['items']}}"
    )


def bearer(token):
    return python(f"{{'type': 'bearer', 'token': {token}}}")


def manifest(*streams, **parts):
    return json.dumps({"type": "DeclarativeSource", "streams": list(streams), **parts})


def refusal(path):
    with pytest.raises(InputError) as refused:
        import_file(path)
    text = str(refused.value)
    assert text.isprintable()
    assert text.startswith((f"{path}: ", f"The file {path} "))
    return text


# --- code -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    [
        "__import__('os').system('touch {witness}')",
        "os.system('touch {witness}')",
        "os.popen('touch {witness}').read()",
        "subprocess.check_output(['touch', '{witness}'])",
        "exec('open(1)')",
        "open('{witness}', 'w').name",
        "[open('{witness}', 'w') for _ in (1,)]",
        "(lambda: open('{witness}', 'w'))()",
        "f\"{{__import__('os').system('touch {witness}')}}\"",
        "'a' if open('{witness}', 'w') else 'b'",
        "''.__class__.__mro__",
    ],
)
@pytest.mark.parametrize("form", ["{code}", "# A\n\n```python\n{code}\n```\n"])
def test_code_is_refused_and_never_run(token, form, file, tmp_path):
    witness = tmp_path / "witness"
    code = bearer(token.format(witness=witness))

    text = refusal(file(form.format(code=code)))

    assert "No code was run" in text
    assert f"line {4 if form[0] == '#' else 1}: " in text
    assert not witness.exists()


def test_harmless_call_is_noted_and_never_run(file):
    found, _ = import_file(file(bearer(f"fetch_token({KEY!r})"), "shop.py"))

    assert found.entry["client"]["auth"]["token"] == "$SHOP_TOKEN"
    assert found.notes == (
        "line 1: client.auth.token is a call of `fetch_token`: it becomes $SHOP_TOKEN.",
    )


@pytest.mark.parametrize(
    "code",
    [
        bearer("-" * 100_000 + "1"),
        bearer("+".join(["'a'"] * 100_000)),
        bearer("a" + ".b" * 100_000),
        bearer("a" + "()" * 100_000),
        bearer("[" * 5_000),
        bearer("9" * 20_000),
        "\n".join(f"a{n} = [a{n + 1}, a{n + 1}]" for n in range(60)) + "\n" + bearer("a0"),
        "\n".join(f"a{n} = a{n + 1} + a{n + 1}" for n in range(60)) + "\n" + bearer("a0"),
        "\0" + bearer("'x'"),
    ],
    ids=[
        *("signs", "sums", "attributes", "calls", "brackets", "digits"),
        *("lists-of-lists", "text-of-texts", "null-byte"),
    ],
)
def test_code_out_of_all_bounds_is_refused(code, file):
    refusal(file(code, "shop.py"))


# --- YAML -----------------------------------------------------------------------------------


def bomb(level):
    """Aliases of aliases: nine times as much with each line."""
    lines = ["a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    names = "abcdefghijkl"
    for here, before in zip(names[1:], names, strict=False):
        lines.append(f"{here}: &{here} {level.format(','.join([f'*{before}'] * 9))}")
    return "\n".join([*lines, "client: *l", "resources: *l"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "client: !!python/object/apply:os.system ['true']\nresources: [a]\n",
            "line 1: only tags of plain values",
        ),
        (
            "client: {}\nresources: !!python/name:os.system ''\n",
            "line 2: only tags of plain values",
        ),
        (bomb("[{}]"), "It is too large"),
        (bomb("{{<<: [{}]}}"), "It is too large"),
        ("client: &a [*a]\nresources: []\n", "contains itself"),
        ("client: " + "[" * 3_000 + "]" * 3_000, "nested too deeply"),
        ("[" * 3_000 + "]" * 3_000, "nested too deeply"),
        ("client: {a: [}\n", "line 1: the syntax is invalid"),
        ('{"client": ' * 50_000, "nested too deeply"),
        ("? {a: b}\n: c\n", "It is not YAML"),
        ("a: " + "9" * 10_000, "a number or a text that"),
        ("a: .nan", "a number or a text that"),
        ('{"client": "\\ud800", "resources": []}', "a number or a text that"),
    ],
    ids=[
        *("call", "name", "aliases", "merged-aliases", "circle", "deep-setting", "deep-list"),
        *("open-list", "deep-object", "object-as-key", "long-number"),
        *("not-a-number", "half-character"),
    ],
)
def test_yaml_that_is_more_than_plain_values_is_refused(text, reason, file):
    assert reason in refusal(file(text, "manifest.yaml"))


def test_more_values_than_a_description_has_are_refused(file, monkeypatch):
    monkeypatch.setattr(loading, "MOST_VALUES", 1000)
    assert "too large" in refusal(file("- b\n" * 1001, "manifest.yaml"))


def test_references_that_lead_in_cycles_or_unfold_without_end_are_refused(file):
    circle = manifest({"$ref": "#/definitions/a"}, definitions={"a": {"$ref": "#/streams/0"}})
    assert "refers to itself" in refusal(file(circle))
    assert "doesn't exist" in refusal(file(manifest({"$ref": "#/definitions/b"})))
    two = {"properties": {side: {"$ref": "#/definitions/{}"} for side in "ab"}}
    levels = {str(n): json.loads(json.dumps(two).replace("{}", str(n + 1))) for n in range(40)} | {
        "40": {}
    }
    stream = {
        "type": "DeclarativeStream",
        "name": "a",
        "retriever": {"requester": {"url_base": "https://a.b", "path": "a"}},
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"$ref": "#/definitions/0"}},
    }
    assert "too large" in refusal(file(manifest(stream, definitions=levels)))


# --- files that describe nothing --------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ("", "empty.py", "It describes no API"),
        ("import os\nprint(os)\n", "code.py", "It describes no API"),
        ("x = (\n", "code.py", "It is not Python: see line"),
        ("# Notes\n\nNo dict at all.\n", "notes.md", "It describes no API"),
        ("hello", "hello.txt", "It describes no API"),
        ("[1, 2]", "list.json", "It describes no API"),
        ('{"apis": []}', "none.json", "Its `apis` has 0 entries"),
        (b"\xff\xfe\x00", "binary.yaml", "it is not UTF-8 text"),
        (b"a" * 5_300_000, "large.txt", "is larger than 5 MiB"),
    ],
)
def test_file_without_a_description_is_refused(content, name, reason, file):
    assert reason in refusal(file(content, name))


@pytest.mark.parametrize("path", ["missing.md", ".", "a\0b"])
def test_unreadable_file_is_refused(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main([path]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: The file ")
    assert output.err.count("\n") == 1


# --- whatever it is, no traceback -------------------------------------------------------------


#: Texts that mean something to a reader.
WORDS = st.sampled_from(
    r"""
    # | - ** ` ``` ```python client resources name type auth token bearer endpoint path params : ,
    paginator offset limit primary_key Primary Key Error Handling streams definitions { } [ ] ( )
    DeclarativeSource $ref #/definitions/a $parameters retriever requester url_base {{ config['a']
    }} response.next !!python/object &a *a <<: \n \n\n \t ' " dlt.secrets["x"] lambda 0 = +
    429 10 requests per second https://api.example.com 1e999 0x
    """.split()  # noqa: SIM905 - many words read best as text
).map(lambda word: word.replace("\\n", "\n").replace("\\t", "\t"))
TEXT = st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=60).map(" ".join)

KEYS = st.sampled_from(
    """
    name type path params paginator auth client base_url headers token api_key location limit
    primary_key write_disposition endpoint incremental cursor_path error_handler schema resources
    response_actions status_code action selected strategy $ref $parameters retriever requester
    record_selector extractor field_path partition_router parent_stream_configs stream parent_key
    partition_field pagination_strategy page_token_option page_size_option page_size cursor_value
    stop_condition inject_into field_name url_base http_method request_parameters request_headers
    authenticator username password transformations fields field_pointers incremental_sync
    cursor_field start_time_option datetime_format schema_loader properties items required
    error_handlers backoff_strategies response_filters http_codes factor max_retries header
    api_budget policies rates interval spec connection_specification default
    """.split()  # noqa: SIM905 - many words read best as text
)
KINDS = st.sampled_from(
    """
    DeclarativeStream SimpleRetriever HttpRequester DefaultPaginator OffsetIncrement PageIncrement
    CursorPagination RequestOption RequestPath request_parameter DpathExtractor RecordSelector
    ApiKeyAuthenticator BearerAuthenticator BasicHttpAuthenticator OAuthAuthenticator
    SubstreamPartitionRouter DatetimeBasedCursor InlineSchemaLoader DefaultErrorHandler
    CompositeErrorHandler HttpResponseFilter RETRY AddFields RemoveFields bearer api_key offset
    cursor merge resolve incremental #/streams/0 #/definitions/a $VAR https://api.example.com GET
    {resources.a.id} {{config['a']}} {{stream_slice.a}} {{response['a'].next}} {{headers.link.next}}
    """.split()  # noqa: SIM905 - many words read best as text
)
SCALARS = st.one_of(KINDS, KEYS, st.text(max_size=5), st.integers(), st.booleans(), st.none())
VALUES = st.recursive(
    st.one_of(SCALARS, st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=40,
)
CONFIGS = st.fixed_dictionaries(
    {"client": VALUES, "resources": st.one_of(VALUES, st.lists(VALUES, max_size=4))},
    optional={"resource_defaults": VALUES, "name": VALUES, "retry": VALUES, "page_size": VALUES},
)
MANIFESTS = st.fixed_dictionaries(
    {
        "type": st.just("DeclarativeSource"),
        "streams": st.lists(st.dictionaries(KEYS, VALUES, max_size=8), max_size=4),
    },
    optional={"definitions": VALUES, "spec": VALUES, "api_budget": VALUES},
)


def ends_without_a_traceback(path, capsys):
    """Run the command; it prints an entry, or lines that say why there is none."""
    code = main([path, "--name", "shop"])
    output = capsys.readouterr()

    assert code in {0, 1}
    assert "Traceback" not in output.err
    for line in output.err.splitlines():
        assert line.startswith(("note: ", "error: ")), line
        # An unexpected error would be printed with its type.
        assert not any(kind in line[:60] for kind in ("TypeError", "KeyError", "ValueError"))
        assert "AttributeError" not in line
    assert code == 1 or json.loads(output.out)["apis"][0]["name"] == "shop"


@given(text=st.one_of(st.text(), TEXT))
@pytest.mark.parametrize("name", ["shop.txt", "shop.md", "shop.py"])
def test_arbitrary_text_never_ends_in_a_traceback(name, text, file, capsys):
    ends_without_a_traceback(file(text.encode("utf-8", "replace"), name), capsys)


@example(value={"client": [], "resources": 1})
@example(value={"type": "DeclarativeSource", "streams": [], "api_budget": {}})
@given(value=st.one_of(CONFIGS, MANIFESTS))
def test_arbitrary_values_never_end_in_a_traceback(value, file, capsys):
    ends_without_a_traceback(file(json.dumps(value), "shop.json"), capsys)


@given(value=CONFIGS, prose=TEXT)
def test_arbitrary_documents_never_end_in_a_traceback(value, prose, file, capsys):
    text = f"# Overview\n\n```python\nsource = rest_api_source({value!r})\n```\n\n{prose}\n"
    ends_without_a_traceback(file(text, "shop.md"), capsys)
