"""The documentation site builds without a warning, leaves out no page, and fetches nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from support.browser import BROWSER, DRIVER, Browser
from support.paths import ROOT

# One worker builds the site.
pytestmark = pytest.mark.xdist_group("site")

PAGES = sorted((ROOT / "docs").rglob("*.md"))
#: What a browser loads by itself; what a reader may click on is another matter.
ELSEWHERE = r"""["']?(?:https?:)?//[^"'> )]+"""
LOADED = re.compile(
    rf"<(?:script|img|iframe|source)[^>]+?src={ELSEWHERE}"
    rf"|<link[^>]+?rel=.?(?:stylesheet|preconnect|icon|preload)[^>]+?href={ELSEWHERE}"
    rf"|url\({ELSEWHERE}"
)
#: The names of pages' elements that are wider than what shows them. Code scrolls in its own box.
CUT_OFF = """
const right = document.documentElement.clientWidth + 1;
const standing = [...document.querySelectorAll("article *")].filter(
  each => each.getBoundingClientRect().right > right
    && !each.closest("pre, .mermaid, .md-typeset__scrollwrap"));
const scrolled = [...document.querySelectorAll(".md-typeset__scrollwrap")].filter(
  each => each.scrollWidth > each.clientWidth + 1);
return [...standing, ...scrolled].map(each => each.outerHTML.slice(0, 300));
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site where no network can be reached."""
    folder = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"},
        text=True,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def place(page):
    """Return where a page is in the site."""
    inside = page.relative_to(ROOT / "docs").with_suffix("")
    return (inside.parent if inside.name == "index" else inside) / "index.html"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_is_built_and_in_the_navigation(site, page):
    [title] = re.findall(r"^# (.+)$", page.read_text("utf-8"), re.MULTILINE)[:1]
    start = (site / "index.html").read_text("utf-8")
    assert title.replace("`", "") in (site / place(page)).read_text("utf-8").replace("&amp;", "&")
    assert place(page).parent.as_posix() in start


def test_a_reader_loads_nothing_from_anywhere_else(site):
    found = {
        file.relative_to(site).as_posix(): LOADED.findall(file.read_text("utf-8"))
        for file in [*site.rglob("*.html"), *(site / "stylesheets").glob("*.css")]
    }
    assert {name: loads for name, loads in found.items() if loads} == {}


def test_diagrams_are_left_to_the_theme(site):
    pages = [page for page in PAGES if "```mermaid" in page.read_text("utf-8")]

    assert pages
    for page in pages:
        assert 'class="mermaid"' in (site / place(page)).read_text("utf-8"), page


def test_every_picture_is_there(site):
    for page in PAGES:
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text("utf-8")):
            assert (page.parent / picture).resolve().is_file(), picture


@pytest.mark.outside
@pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="needs chromium and chromedriver, Debian's for example"
)
@pytest.mark.parametrize("width", [375, 768, 1000, 1200, 1440])
def test_no_text_or_table_is_cut_off(site, width):
    with Browser.open() as browser:
        for page in PAGES:
            browser.show(site / place(page), width=width)
            assert browser.evaluate(CUT_OFF) == [], page
