from __future__ import annotations

import json

import pytest
from walkthrough import project
from walkthrough.__main__ import selection
from walkthrough.project import StepError, alone, plain
from walkthrough.screen import Screen

from tap_analytics.demo import DemoApi


def test_a_place_is_not_cut_without_a_terminal(capsys):
    place = "/home/somebody/" + "folders/" * 30 + "analytics.duckdb"
    with Screen().step("Destination") as step:
        step.detail = place
    said = capsys.readouterr().out
    assert "\u2026 Destination\n" in said
    assert f"\u2713  Destination  {place}  0.0 s\n" in said


def test_every_stream_is_selected_by_name():
    api = DemoApi(scale=0.01)

    assert selection(api, every=False) == {}
    rules = json.loads(selection(api, every=True)["TAP_ANALYTICS__SELECT"])
    assert rules[0] == "*.*"
    assert "success_messages.*" in rules


def test_a_second_demo_in_a_folder_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "FOLDER", tmp_path / ".demo")
    told = pytest.raises(StepError, match="Another demo is running in this folder")
    with alone(), told, alone():
        pass
    with alone():
        pass


@pytest.mark.parametrize(
    "cause", ["Errno 30] Read-only file system", "Errno 13] Permission denied"], ids=str
)
def test_a_home_that_cannot_be_written_is_reported_in_words(cause):
    assert plain(f"OSError: [{cause}: '/home/ro/.local'") == (
        "Meltano keeps files of its own in /home/ro/.local, which can't be written. Set HOME to a "
        "folder that can be."
    )
    assert plain("No such plugin") == "No such plugin"
