"""The report as a browser shows it: the figures of the run, on any width, in light and dark."""

from __future__ import annotations

import json

import pytest
from support.browser import BROWSER, DRIVER, Browser
from support.processes import hurried, run
from support.servers import PathApi

from tap_analytics.demo import DemoApi

pytestmark = [
    pytest.mark.outside,
    pytest.mark.xdist_group("report_browser"),
    pytest.mark.skipif(
        not (BROWSER and DRIVER), reason="needs chromium and chromedriver, Debian's for example"
    ),
]

LONG = "TextThatGoesOnAndOnWithoutASpace" * 5
OVERFLOW = """
const right = document.documentElement.clientWidth + 1;
const wide = [...document.querySelectorAll("body *")].filter(
  each => each.getBoundingClientRect().right > right
    && getComputedStyle(each).position !== "absolute" && !each.closest(".wide"));
return [document.documentElement.scrollWidth, innerWidth, wide.map(each => each.outerHTML)];
"""
#: What a row of the table shows, by its figures.
ROWS = """
return Object.fromEntries([...document.querySelectorAll("tr[data-stream]")].map(row => [
  row.dataset.stream,
  Object.fromEntries([...row.querySelectorAll("[data-figure]")].map(
    cell => [cell.dataset.figure, cell.textContent]))]));
"""
#: The lowest contrast of all text with what is painted behind it.
CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const paint = colours => {
  canvas.clearRect(0, 0, 1, 1);
  for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const light = colours => {
  const [r, g, b] = paint(colours).map(each => each / 255).map(
    each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = each => each
  ? [...behind(each.parentElement), getComputedStyle(each).backgroundColor] : ["white"];
let lowest = [99, ""];
for (const each of document.querySelectorAll("body *")) {
  const own = [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!own || each.closest("svg") || !each.checkVisibility()) continue;
  const below = behind(each), front = light([...below, getComputedStyle(each).color]);
  const [low, high] = [front, light(below)].sort((a, b) => a - b);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < lowest[0]) lowest = [ratio, each.outerHTML];
}
return lowest;
"""


@pytest.fixture(scope="module")
def browser():
    with Browser.open() as opened:
        yield opened


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a run in which everything went wrong that a report tells."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    faults = [
        {"status": 429, "headers": {"Retry-After": "1"}, "match": {"path": "/people"}},
        {"status": 403, "match": {"path": "/audit"}, "times": None, "body": {"message": LONG}},
        {"status": 503, "match": {"path": "/notes"}, "times": 2},
        {
            "status": 200,
            "match": {"path": "/admins"},
            "body": {"results": [{"id": "1", LONG: 1, "<b>bold</b>": True}], "next": None},
        },
    ]
    with DemoApi(scale=0.5, faults=faults) as demo:
        done = run(hurried(demo.config) | {"report_path": str(path)})
    return path, done


def test_the_figures_on_the_page_are_those_of_the_run(browser, report):
    path, done = report
    browser.show(path, width=1280)
    figures = json.loads(path.with_suffix(".json").read_bytes())
    rows = browser.evaluate(ROWS)
    heading = browser.evaluate("return document.querySelector('h1').textContent")
    shown = browser.evaluate("return document.querySelector('[data-figure=rows]').textContent")

    assert rows.keys() == figures["streams"].keys()
    for name, stream in figures["streams"].items():
        assert rows[name]["rows"] == f"{len(done.records(name)):,}"
        for figure in ("rows", "pages", "requests", "retries"):
            assert rows[name][figure] == f"{stream[figure]:,}", name
    assert shown == f"{sum(len(done.records(name)) for name in rows):,}"
    assert "Failed" in heading
    assert f"1 of {len(rows)} streams failed" in heading


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1000, 1100, 1200, 1280])
def test_nothing_overflows_the_page(browser, report, width, dark):
    browser.show(report[0], width=width, dark=dark)
    if width == 390:
        browser.evaluate("for (const each of document.querySelectorAll('details')) each.open = 1")

    whole, window, wide = browser.evaluate(OVERFLOW)

    assert wide == []
    # A phone makes its window wider where a page stands out of it.
    assert whole <= window == width


def test_a_print_fits_its_paper_and_is_light_whatever_the_screen_is(browser, report):
    browser.show(report[0], width=718, dark=True, media="print")

    whole, window, wide = browser.evaluate(OVERFLOW)

    assert (whole <= window == 718, wide) == (True, [])
    white = browser.evaluate("return getComputedStyle(document.body).backgroundColor")
    assert white == "rgb(255, 255, 255)"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_has_enough_contrast(browser, report, dark):
    browser.show(report[0], width=1280, dark=dark)

    ratio, where = browser.evaluate(CONTRAST)

    assert ratio >= 4.5, where


def test_light_and_dark_differ(browser, report):
    colours = []
    for dark in (False, True):
        browser.show(report[0], width=1280, dark=dark)
        colours.append(browser.evaluate("return getComputedStyle(document.body).backgroundColor"))

    assert len(set(colours)) == 2


def test_the_page_loads_nothing(browser, report):
    browser.show(report[0], width=1280)

    assert browser.evaluate("return performance.getEntriesByType('resource').length") == 0


def test_pauses_and_requests_are_drawn(browser, report):
    browser.show(report[0], width=1280)
    drawn = browser.evaluate("return document.querySelectorAll('.pause[d^=M]').length")
    heights = browser.evaluate(
        "return [...document.querySelectorAll('.requests .mean, .latency rect')]"
        ".map(each => each.getBoundingClientRect().height)"
    )

    assert drawn == 1
    assert len(heights) > 10
    assert all(height > 0 for height in heights)


def test_names_from_outside_are_shown_as_they_are(browser, report):
    browser.show(report[0], width=390)
    text = browser.evaluate("return document.querySelector('#drift').innerText")

    assert "<b>bold</b>" in text
    assert LONG in text
    assert browser.evaluate("return document.querySelectorAll('#drift b').length") == 0


def test_a_run_without_a_response_has_a_page_even_with_long_names(browser, tmp_path):
    path = tmp_path / "report.html"
    with PathApi(lambda *_: 0.0) as api:
        config = api.config("things_" * 20) | {"report_path": str(path)}
        done = run(config)
    browser.show(path, width=390)
    whole, window, wide = browser.evaluate(OVERFLOW)

    assert done.code == 1
    assert (whole <= window == 390, wide) == (True, [])
    assert "1 of 1 stream failed" in browser.evaluate("return document.body.innerText")
