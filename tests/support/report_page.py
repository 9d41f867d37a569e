"""A report's page as a test reads it: its text, its elements, what a browser would load."""

from __future__ import annotations

import re
from html.parser import HTMLParser

#: Attributes whose value a browser goes and gets.
LOADED = frozenset({"src", "srcset", "href", "action", "poster", "data", "background"})


class Page(HTMLParser):
    """The parts of a page; styles are not text."""

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.loads = []
        self.figures = {}
        self._cells = []
        self._texts = []
        self._open = []
        self._stream = None
        self.feed(html)
        self.close()

    @property
    def text(self):
        return " ".join(" ".join(self._texts).split())

    def column(self, number):
        """Return the texts of a column of all tables, heads left out."""
        return [row[number] for row in self._cells if len(row) > number]

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.elements.append((tag, given))
        self.loads += [value for name, value in attrs if name in LOADED]
        self._stream = given.get("data-stream", self._stream)
        if tag == "tr" and "thead" not in [name for name, _ in self._open]:
            self._cells.append([])
        if tag in {"th", "td"} and "tbody" in [name for name, _ in self._open]:
            self._cells[-1].append("")
        if tag != "meta":
            self._open.append((tag, given))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass
        if tag == "tr":
            self._stream = None

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        inside = [tag for tag, _ in self._open]
        if "style" in inside:
            self.loads += re.findall(r"url\([^)]*\)|@import[^;]*", data)
            return
        self._texts.append(data)
        if "tbody" in inside and {"th", "td"} & set(inside):
            self._cells[-1][-1] += data
        if self._open and (name := self._open[-1][1].get("data-figure")):
            self.figures[self._stream, name] = data
