"""Chromium without a screen, driven as any WebDriver client does: JSON over HTTP to its driver."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import subprocess
import tempfile

import requests

from support.patience import PATIENCE

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
#: No sandbox, for root has none in a container; nothing that calls home; nothing kept.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
)


class Browser:
    """One window."""

    def __init__(self, session):
        self._session = session

    @classmethod
    @contextlib.contextmanager
    def open(cls):
        """Start the driver and the browser; both end with the context."""
        # Neither may send what goes to the loopback through a proxy.
        env = {name: v for name, v in os.environ.items() if not name.lower().endswith("_proxy")}
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            driver = subprocess.Popen(
                [DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True, env=env
            )
            try:
                port = next(found[1] for line in driver.stdout if (found := _PORT.search(line)))
                arguments = [*FLAGS, f"--user-data-dir={folder}"]
                options = {"binary": BROWSER, "args": arguments}
                root = f"http://127.0.0.1:{port}/session"
                wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
                session = f"{root}/{_ask('POST', root, wanted)['sessionId']}"
                try:
                    yield cls(session)
                finally:
                    _ask("DELETE", session)
            finally:
                driver.terminate()
                driver.wait()
                driver.stdout.close()

    def show(self, page, *, width, height=900, dark=False, media="screen"):
        """Open a file in a window of so many pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setDeviceMetricsOverride", **metrics)
        self.command("Emulation.setEmulatedMedia", media=media, features=[scheme])
        _ask("POST", f"{self._session}/url", {"url": page.resolve().as_uri()})

    def evaluate(self, script):
        """Return what a function body returns on the page."""
        return _ask("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def picture(self, *, scale=1):
        """Return the whole page as PNG."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        taken = self.command(
            "Page.captureScreenshot",
            format="png",
            captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": scale},
        )
        return base64.b64decode(taken["data"])

    def command(self, name, **parameters):
        """Give an order of the browser's own protocol."""
        return _ask(
            "POST", f"{self._session}/goog/cdp/execute", {"cmd": name, "params": parameters}
        )


_PORT = re.compile(r"started successfully on port (\d+)")


def _ask(method, url, body=None):
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, json=body, timeout=PATIENCE)
    value = answer.json()["value"]
    assert answer.status_code == 200, value
    return value
