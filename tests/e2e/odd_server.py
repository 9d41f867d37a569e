"""A server on loopback whose answers a test writes as a function of path and query."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class OddApi:
    """Answers what `answer(path, query)` returns: a JSON value, or (status, JSON value).

    `query` is a list of pairs, so that repeated parameters can be told. A float in the place of a
    value is a number of seconds to keep silent, and then hang up.
    """

    #: The `Date` of answers, where it isn't the machine's.
    date = None

    def __init__(self, answer):
        self.asked = []
        self.closing = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                parts = urlsplit(self.path)
                query = parse_qsl(parts.query, keep_blank_values=True)
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                api.asked.append((parts.path, query))
                said = answer(parts.path, query)
                if isinstance(said, float):
                    api.closing.wait(said)
                    self.close_connection = True
                    return
                status, value = said if isinstance(said, tuple) else (200, said)
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the name http.server looks for

            def date_time_string(self, timestamp=None):
                return api.date or super().date_time_string(timestamp)

            def log_message(self, *_):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """Say nothing of clients that hang up: some of them are killed on purpose."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def config(self, *resources, auth=None, **settings):
        """Return the configuration of a declared API `odd` at this address."""
        client = {"base_url": self.url} | ({"auth": auth} if auth else {})
        entry = {
            "name": "odd",
            "client": client,
            "resource_defaults": {"primary_key": "id"},
            "resources": list(resources),
            "retry": {"backoff_factor": 0, "max_retries": 1},
        }
        return {"apis": [entry | settings]}
