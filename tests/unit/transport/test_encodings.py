from __future__ import annotations

import base64
import html
import json
import re
import time
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_analytics.transport.redaction import Secrets

SECRET = "s3cr3t/+ =&\"'\\<é€"


ENCODERS = {
    "raw": str,
    "quote": quote,
    "quote-all": lambda s: quote(s, safe=""),
    "quote-lower": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%C3", "%c3"),
    "quote-plus": quote_plus,
    "quote-twice": lambda s: quote(quote(s, safe=""), safe=""),
    "query": lambda s: urlencode({"api_key": s}),
    "json": json.dumps,
    "json-unicode": lambda s: json.dumps(s, ensure_ascii=False),
    "json-in-json": lambda s: json.dumps(json.dumps({"k": s})),
    "json-slashes": lambda s: json.dumps(s).replace("/", "\\/"),
    "repr": repr,
    "repr-bytes": lambda s: repr(s.encode()),
    "repr-repr": lambda s: repr(repr(s)),
    "html": lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;"),
    "url-of-json": lambda s: quote(json.dumps(s)),
    # As Go and Rails write an ampersand.
    "json-of-html": lambda s: json.dumps(html.escape(s)).replace("&", "\\u0026"),
    "header": lambda s: s.encode().decode("latin-1"),
}
BASE64 = {
    "base64": lambda b: base64.b64encode(b).decode(),
    "unpadded": lambda b: base64.b64encode(b).decode().rstrip("="),
    "urlsafe": lambda b: base64.urlsafe_b64encode(b).decode(),
    "quoted": lambda b: quote(base64.b64encode(b).decode(), safe=""),
    "quoted-header": lambda b: quote(f"Basic {base64.b64encode(b).decode()}"),
    "json-header": lambda b: json.dumps(f"Basic {base64.b64encode(b).decode()}"),
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_a_secret_is_found_in_every_spelling(encode):
    secrets = Secrets()
    secrets.add(SECRET)

    text = secrets.redact(f"before {encode(SECRET)} after")

    assert "***" in text
    assert "s3cr3t" not in text
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize("encode", BASE64.values(), ids=BASE64)
def test_a_secret_is_found_in_base64(encode):
    secrets = Secrets()
    secrets.add("tok~en?>ü-1234")
    secrets.add_basic("me@example.com", "p?ss>>wörd")

    assert "***" in secrets.redact(encode("tok~en?>ü-1234".encode()))
    for charset in ("utf-8", "latin-1"):
        pair = encode("me@example.com:p?ss>>wörd".encode(charset))
        assert re.fullmatch(r'"?(Basic( |%20))?\*\*\*(=|%3D)*"?', secrets.redact(pair))


@pytest.mark.parametrize("before", ["", "x", "xy", "user:"])
def test_a_secret_is_found_inside_of_longer_base64(before):
    secrets = Secrets()
    secrets.add("swordfish-4711")
    encoded = base64.b64encode(f"{before}swordfish-4711 and more".encode()).decode()

    cleaned = secrets.redact(encoded)

    assert "***" in cleaned
    left = cleaned.replace("***", "")
    assert len(left) < len(encoded) - 12


def test_a_pair_with_an_empty_half_is_a_secret():
    secrets = Secrets()
    secrets.add_basic("sk_live_1", "")
    assert secrets.redact("Basic " + base64.b64encode(b"sk_live_1:").decode()) == "Basic ***=="
    secrets.add_basic("", "")
    assert secrets.redact("a: b, Og") == "a: b, Og"


#: Text beside a secret that does not begin an escape which would include part of it.
NEIGHBOURS = st.text(st.characters(exclude_characters="%&\\"), max_size=9)


@given(st.text(min_size=4), NEIGHBOURS, st.sampled_from(list(ENCODERS.values())))
def test_every_encoding_of_a_value_is_found(value, around, encode):
    secrets = Secrets()
    secrets.add(value)
    if not value.strip() or any("\ud800" <= char <= "\udfff" for char in value):
        return
    assert "***" in secrets.redact(f"{around}{encode(value)}{around}")


#: Texts for which backtracking, or repeated searching, takes quadratic time.
HOSTILE = {
    "backslashes": "\\",
    "percents": "%25",
    "entities": "&amp;",
    "mixed": "\\%&",
    "octets": "\\x",
    "almost": "%252525zz",
    "numbers": "&#0000",
    "leads": "= ",
    "blanks": "= " + " " * 400,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("value", ["\\" * 120, "%25" * 40, "&amp;" * 24, "= " * 60, "\\%&" * 40])
def test_redaction_takes_linear_time(value, text):
    secrets = Secrets()
    secrets.add(value)
    secrets.add("\\\\")

    def seconds(size):
        begun = time.thread_time()
        secrets.redact(text * (size // len(text)) + "!")
        return time.thread_time() - begun

    short = max(min(seconds(4000) for _ in range(3)), 1e-4)
    # Sixteen times the text: 16 times the time if it is linear, 256 times if quadratic.
    assert min(seconds(64_000) for _ in range(2)) < 64 * short


def test_a_secret_of_backslashes_is_found_however_often_they_are_doubled():
    secrets = Secrets()
    secrets.add("\\" * 120)
    for encode in (str, json.dumps, repr, ENCODERS["json-in-json"], ENCODERS["quote-all"]):
        assert "***" in secrets.redact(encode("\\" * 120))


def test_only_the_latest_tokens_of_an_api_are_redacted():
    secrets = Secrets()
    secrets.add("swordfish-4711")
    secrets.add_token("the.other+one/0", of="wiki")
    for number in range(100):
        secrets.add_token(f"to/ken+{number:04}" + "=" * 800, of="shop")

    for known in ("swordfish-4711", "the.other+one/0", "to/ken+0099"):
        for encode in [*ENCODERS.values(), lambda s: BASE64["base64"](s.encode())]:
            assert "***" in secrets.redact(encode(known + "=" * 800 * (known[:2] == "to")))
    assert secrets.redact("to/ken+0000" + "=" * 800) == "to/ken+0000" + "=" * 800


def test_a_short_pair_is_not_redacted_everywhere():
    secrets = Secrets()
    secrets.add_basic("a", "")
    assert secrets.redact("no data: YTo= is key=YTo=") == "no data: ***= is key=***="
    assert secrets.redact("a: YToYTo a:") == "a: YToYTo a:"


def test_text_before_a_secret_does_not_hide_part_of_it():
    secrets = Secrets()
    secrets.add("4a/s3cr€t")
    for encode in (quote, ENCODERS["quote-twice"], quote_plus):
        assert secrets.redact(f"100%{encode('4a/s3cr€t')}") == "100%***"


def test_a_secret_inside_another_is_redacted_with_it():
    secrets = Secrets()
    secrets.add("fish")
    secrets.add("swordfish-4711")
    assert secrets.redact("a swordfish-4711, a fish") == "a ***, a ***"


def test_a_secret_that_is_short_when_unescaped_is_not_redacted_everywhere():
    secrets = Secrets()
    secrets.add("\\\\\\\\q")
    assert secrets.redact("q%20quick quiz") == "q%20quick quiz"
    assert secrets.redact(json.dumps("\\\\\\\\q")) == '"***"'


def test_longer_secrets_are_replaced_first():
    secrets = Secrets()
    secrets.add("abcd")
    secrets.add("abcdefgh")
    assert secrets.redact("abcdefgh abcd") == "*** ***"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("api_key=abc&x=1", "api_key=***&x=1"),
        ('{"api_key": "abc"}', '{"api_key": "***"}'),
        ("Authorization: Bearer abc", "Authorization: Bearer ***"),
        ("key%3Dabc", "key%3D***"),
        ("the abc of abcissa, a=abcd", "the abc of abcissa, a=abcd"),
    ],
)
def test_a_short_secret_is_only_replaced_where_a_value_is_expected(text, cleaned):
    secrets = Secrets()
    secrets.add("abc")
    assert secrets.redact(text) == cleaned


@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_an_empty_value_is_not_a_secret(value):
    secrets = Secrets()
    secrets.add(value)
    assert secrets.redact("a: b = \t c") == "a: b = \t c"
