"""A plain client of the demo: one request, raw bytes, and a request head to send by hand."""

from __future__ import annotations

import socket
from urllib.parse import parse_qs, urlsplit

import requests

from support.patience import PATIENCE
from tap_analytics.demo import DEFAULT

HEADERS = {"X-Api-Key": DEFAULT.learning_api_key}
PEOPLE = "/learning/v2/people"
#: Names and passwords.
WIKI = (DEFAULT.wiki_email, DEFAULT.wiki_api_token)
SUCCESS = (DEFAULT.success_secret_token, "")
#: Paths of both versions of the wiki.
V1, V2 = "/wiki/rest/api", "/wiki/api/v2"


def get(api, path=PEOPLE, **options):
    options = {"headers": HEADERS, "timeout": PATIENCE} | options
    return requests.get(api.url + path, **options)


def query_of(link):
    """Return the first value of each parameter."""
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def talk(api, data):
    """Send bytes and return all that comes back until the server closes."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as peer:
        peer.sendall(data)
        received = b""
        while piece := peer.recv(65_536):
            received += piece
    return received


def head(target=PEOPLE, *, method="GET", version="1.1", more=""):
    key = DEFAULT.learning_api_key
    lines = f"{method} {target} HTTP/{version}\r\nHost: demo\r\nX-Api-Key: {key}\r\n{more}\r\n"
    return lines.encode("latin-1")
