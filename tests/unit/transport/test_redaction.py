from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
import traceback
import types
import warnings
from dataclasses import replace

import pytest
from support.runs import declared, run
from support.servers import JsonApi, ScriptedServer, reply, reset
from support.transport import body_of, make_transport, people

from tap_analytics.transport import redaction
from tap_analytics.transport.errors import Rejected, TransportError
from tap_analytics.transport.redaction import Secrets, install
from tap_analytics.transport.retry import RetryPolicy

SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}


@pytest.fixture
def secrets(monkeypatch):
    """An installed registry; its changes to the process are undone."""
    for owner, name in (
        (logging.Logger, "makeRecord"),
        (sys, "excepthook"),
        (threading, "excepthook"),
        (sys, "unraisablehook"),
        (warnings, "showwarning"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    factory = logging.getLogRecordFactory()
    registry = Secrets()
    registry.add("swordfish-4711")
    install(registry)
    yield registry
    logging.setLogRecordFactory(factory)
    redaction._registries.discard(registry)


@pytest.fixture
def log():
    """A logger at DEBUG, whose handler formats as the standard formatter does."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("tap-analytics.redaction-test")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield types.SimpleNamespace(logger=logger, text=stream.getvalue, handler=handler)
    logger.removeHandler(handler)


def test_messages_and_arguments_are_redacted(secrets, log):
    log.logger.debug("key swordfish-4711")
    log.logger.info("key %s", "swordfish-4711")
    log.logger.info("%(shown)s", {"shown": 1, "hidden": "swordfish-4711"})
    log.logger.info(ValueError("swordfish-4711"))
    log.logger.info("wrong %d", "swordfish-4711")

    assert "swordfish" not in log.text()
    assert log.text().splitlines() == ["key ***", "key ***", "1", "***", "wrong %d " + TWICE]


TWICE = "('***',) ('***',)"


def test_a_record_without_secrets_keeps_its_arguments(secrets):
    record = logging.getLogRecordFactory()("n", 20, "p", 1, "%s of %d", ("a", 2), None)
    assert (record.msg, record.args) == ("%s of %d", ("a", 2))


def test_arguments_that_the_message_does_not_show_are_redacted(secrets):
    hidden = ({"shown": 1, "hidden": "swordfish-4711"},)
    record = logging.getLogRecordFactory()("n", 20, "p", 1, "%(shown)s", hidden, None)
    assert record.getMessage() == "1"
    assert "swordfish" not in repr(vars(record))


def test_extra_fields_are_redacted(secrets):
    record = logging.getLogger("x").makeRecord(
        "x",
        20,
        "p",
        1,
        "m",
        (),
        None,
        extra={
            "url": "/?k=swordfish-4711",
            "nested": {"list": ["swordfish-4711", 7], "n": 1},
            "thing": ValueError("swordfish-4711"),
            "fine": {"n": 1},
        },
    )

    assert record.url == "/?k=***"
    assert record.nested == {"list": ["***", 7], "n": 1}
    assert "swordfish" not in f"{record.thing!r}"
    assert record.fine == {"n": 1}


def fail(password):
    raise ValueError(f"refused {password}")


def test_tracebacks_are_redacted_under_any_formatter(secrets, log):
    class Structured(logging.Formatter):
        def format(self, record):
            return repr({**vars(record), "trace": record.exc_info and traceback_of(record)})

    for formatter in (logging.Formatter(), Structured()):
        log.handler.setFormatter(formatter)
        try:
            fail("swordfish-4711")
        except ValueError:
            log.logger.exception("failed", stack_info=True)

    assert "swordfish" not in log.text()
    assert "ValueError: refused ***" in log.text()


def traceback_of(record):
    return list(
        traceback.TracebackException(*record.exc_info, capture_locals=True).format(chain=True)
    )


def test_a_secret_in_a_variable_or_a_hidden_context_is_redacted(secrets):
    def hidden():
        try:
            fail("swordfish-4711")
        except ValueError:
            raise RuntimeError("plain") from None

    def local():
        token = ["swordfish-4711"]
        raise RuntimeError(f"plain {len(token)}")

    def noted():
        error = RuntimeError("plain")
        error.add_note("swordfish-4711")
        raise error

    def grouped():
        raise ExceptionGroup("plain", [ValueError("swordfish-4711")])

    for function in (hidden, local, noted, grouped):
        record = record_of(function)
        assert record.exc_info is None, function
        assert "plain" in record.exc_text
        assert "swordfish" not in record.exc_text.replace('"swordfish-4711"', "")


HOSTILE = "a\n2026 | ERROR | x\r\x1b[31m\x9b2J\x7f\u2028\u202e\U000e0041\ud800 é"
ESCAPED = r"a\n2026 | ERROR | x\r\u001b[31m\u009b2J\u007f\u2028\u202e\udb40\udc41\ud800 é"


def test_external_text_cannot_forge_a_log_line(secrets, log):
    log.logger.info("new field %s", HOSTILE)
    log.logger.info("swordfish-4711 %s", HOSTILE)
    log.logger.info("wrong %d", HOSTILE)
    log.logger.warning("of several lines\n  all its own\n")

    escaped, secret, wrong, several = log.text().splitlines()
    assert escaped == f"new field {ESCAPED}"
    assert secret == f"*** {ESCAPED}"
    assert wrong.startswith("wrong %d (")
    assert several == r"of several lines\n  all its own"
    assert json.loads(f'"{ESCAPED}"') == HOSTILE


def test_an_extra_field_is_a_line_of_its_own(secrets):
    extra = {"field": HOSTILE, "fields": [HOSTILE]}
    record = logging.getLogger("x").makeRecord("x", 20, "p", 1, "m", (), None, extra=extra)
    assert record.field == ESCAPED
    assert f"{record.fields}".isprintable()


def test_the_text_of_an_error_cannot_forge_a_log_line(secrets, log):
    def function():
        raise ValueError(HOSTILE)

    log.logger.handle(record_of(function))
    first, *rest = log.text().splitlines()
    assert first == "m"
    assert all(line.startswith("  ") for line in rest)
    assert "\x1b" not in log.text()
    assert r"\u001b[31m" in rest[-1]


def record_of(function):
    try:
        function()
    except Exception:  # noqa: BLE001 - the group above is none of the narrower kinds
        info = sys.exc_info()
    return logging.getLogRecordFactory()("n", 40, "p", 1, "m", (), info)


def test_a_traceback_without_secrets_is_unchanged(secrets):
    record = record_of(lambda: 1 // 0)
    assert record.exc_info[0] is ZeroDivisionError


def test_a_circular_chain_of_errors_is_followed_once(secrets):
    first, second = ValueError("swordfish-4711"), ValueError("b")
    first.__context__, second.__context__ = second, first

    def function():
        raise second

    assert record_of(function).exc_info is None


def test_uncaught_errors_are_redacted(secrets, capsys):
    try:
        fail("swordfish-4711")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
        thread = threading.Thread(name="worker")
        args = (type(error), error, error.__traceback__, thread)
        threading.excepthook(threading.ExceptHookArgs(args))
        sys.unraisablehook(
            types.SimpleNamespace(
                exc_type=type(error),
                exc_value=error,
                exc_traceback=error.__traceback__,
                err_msg=None,
                object="swordfish-4711",
            )
        )

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("ValueError: refused ***") == 3
    assert "Exception in thread worker" in shown.err
    assert "swordfish" not in shown.err.replace('fail("swordfish-4711")', "")


class Unshowable:
    def __repr__(self):
        raise RuntimeError("swordfish-4711")


def test_an_object_whose_repr_fails_is_logged(secrets, log):
    def function():
        hidden = Unshowable()
        raise RuntimeError(f"plain {type(hidden).__name__}")

    assert "swordfish" not in f"{record_of(function).exc_text}"
    log.logger.info("thing %s", Unshowable())
    assert log.text() == "thing %s <tuple>\n"


def test_other_errors_of_threads_and_finalizers_reach_the_original_hook(secrets, monkeypatch):
    heard = []
    monkeypatch.setattr(threading, "excepthook", heard.append)
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    install(secrets)
    error = ZeroDivisionError()
    in_thread = threading.ExceptHookArgs((ZeroDivisionError, error, None, None))
    in_finalizer = types.SimpleNamespace(
        exc_value=error, exc_traceback=None, err_msg=None, object=None
    )
    threading.excepthook(in_thread)
    sys.unraisablehook(in_finalizer)
    assert heard == [in_thread, in_finalizer]


def test_other_uncaught_errors_reach_the_original_hook(secrets, monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: heard.append(args))
    install(secrets)
    error = ZeroDivisionError()
    sys.excepthook(ZeroDivisionError, error, None)
    assert heard == [(ZeroDivisionError, error, None)]


def test_warnings_are_redacted(secrets, monkeypatch):
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: shown.append(str(message)))
    install(secrets)
    warnings.showwarning(UserWarning("swordfish-4711 is old"), UserWarning, "f.py", 1)
    warnings.showwarning(UserWarning("fine"), UserWarning, "f.py", 1)
    assert shown == ["*** is old", "fine"]


def test_installing_again_changes_nothing(secrets):
    hooks = (logging.getLogRecordFactory(), logging.Logger.makeRecord, sys.excepthook)
    install(secrets)
    assert hooks == (logging.getLogRecordFactory(), logging.Logger.makeRecord, sys.excepthook)


def test_two_runs_in_one_process_keep_both_their_secrets(secrets):
    other = Secrets()
    other.add("hunter2hunter2")
    install(other)
    assert redaction.redact("swordfish-4711 hunter2hunter2") == "*** ***"
    del other
    assert redaction.redact("swordfish-4711 hunter2hunter2") == "*** hunter2hunter2"


def query_signed(request):
    return replace(request, params=(("api_key", "swordfish-4711"),))


@pytest.mark.parametrize(
    "step",
    [
        reply(503),
        reset(),
        reply(400, b'{"message": "key swordfish-4711 is odd"}'),
        reply(401, json.dumps({"error": "x" * 190 + "swordfish-4711"}).encode()),
        reply(302, b"", Location="http://evil.example/?api_key=swordfish-4711"),
        reply(200, b"x", Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
    ],
    ids=["503", "reset", "quoted", "cut", "redirect", "gzip", "length"],
)
def test_no_error_or_log_line_of_a_request_shows_a_secret(secrets, step, caplog):
    caplog.set_level(logging.DEBUG)
    with ScriptedServer([step]) as server:
        transport = make_transport(
            server.origin,
            sign=query_signed,
            retry=RetryPolicy(max_retries=1, backoff_factor=0.01),
        )
        with pytest.raises(TransportError) as caught:
            transport.fetch(people(server), body_of)
        logging.getLogger("tap-analytics").error("failed", exc_info=caught.value)

    assert "api_key=swordfish-4711" in server.requests[0].target
    assert "urllib3" in {record.name.partition(".")[0] for record in caplog.records}
    assert "swordf" not in str(caught.value)
    assert "swordf" not in caplog.text
    assert "api_key=" not in re.sub(r"api_key=\*\*\*", "", caplog.text)


def cursor_repeats(query, secret):
    return reply(200, json.dumps({"data": [{"id": 1}], "next": "x" * 60 + secret}).encode())


def error_in_the_body(query, secret):
    return reply(200, json.dumps({"errors": [{"message": "x" * 190 + secret}]}).encode())


def error_with_a_description(query, secret):
    body = {"API_ERROR": "x" * 100, "API_ERROR_DESCRIPTION": "x" * 87 + secret}
    return reply(200, json.dumps(body).encode())


def members_instead_of_rows(query, secret):
    return reply(200, json.dumps({f"{'x' * 150}{secret}": 1}).encode())


def content_type(query, secret):
    return reply(200, b"?", Content_Type="x" * 70 + secret)


def content_encoding(query, secret):
    return reply(200, b"?", Content_Encoding="x" * 30 + secret)


def another_host(query, secret):
    return reply(302, b"", Location=f"http://{secret}.example/")


@pytest.mark.parametrize(
    "answer",
    [
        *(cursor_repeats, error_in_the_body, error_with_a_description, members_instead_of_rows),
        *(content_type, content_encoding, another_host),
    ],
)
def test_no_truncated_text_shows_the_beginning_of_a_secret(secrets, answer, caplog):
    secret = "HerringBone-4711-Seventeen"
    with JsonApi(lambda query: answer(query, secret)) as api:
        paginator = {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"}
        config = declared(api.origin, endpoint={"paginator": paginator}, schema=SCHEMA)
        config["apis"][0]["client"]["auth"] = {"type": "bearer", "token": secret}
        done = run(config, catalog=None)

    assert "***" in done.failure()
    assert "herri" not in (done.failure() + caplog.text).lower()


def test_the_error_of_a_refused_connection_has_no_query(secrets, caplog):
    caplog.set_level(logging.DEBUG)
    with ScriptedServer([reply()]) as server:
        origin = server.origin
    transport = make_transport(origin, sign=query_signed, retry=RetryPolicy(backoff_factor=0.01))
    with pytest.raises(TransportError) as caught:
        transport.fetch(people(server), body_of)

    shown = "".join(traceback.format_exception(caught.value))
    assert "api_key" not in shown
    assert "swordfish" not in shown + caplog.text


def test_a_secret_in_a_label_is_hidden(secrets):
    with ScriptedServer([reply(400)]) as server:
        transport = make_transport(server.origin)
        request = replace(people(server), url=f"{server.origin}/v2/swordfish-4711/people")
        with pytest.raises(Rejected) as caught:
            transport.fetch(request, body_of)
    assert "GET /v2/***/people" in str(caught.value)
