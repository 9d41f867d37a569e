"""The doctor as a process of its own, and through Meltano."""

from __future__ import annotations

import json
import signal

import pytest
from support import processes

from tap_analytics.demo import DemoApi, Fault


def doctor(config, *options, folder):
    """Start the command with a configuration."""
    path = folder / "config.json"
    path.write_text(json.dumps(config), "utf-8")
    return processes.start(None, "doctor", "--config", str(path), *options)


def test_it_says_by_its_exit_code_whether_all_is_well(tmp_path):
    with DemoApi() as api:
        well = doctor(api.config, "--json", folder=tmp_path).end()
        api.set_faults([Fault(status=401, times=None)])
        ill = doctor(api.config, folder=tmp_path).end()
    assert (well.code, well.stderr) == (0, "")
    assert json.loads(well.stdout)["ok"] is True
    assert ill.code == 1
    assert ill.stdout.count(b"answered 401") == 5
    assert ill.stderr == ""


def test_an_interrupt_ends_it_at_once(tmp_path):
    with DemoApi(faults=[Fault(action="hang", times=None)]) as api:
        started = doctor(api.config, folder=tmp_path)
        started.until(lambda: len(api.requests) == 5)
        started.signal(signal.SIGINT)
        ended = started.end()
    assert ended.code == 130
    assert "Traceback" not in ended.stderr


@pytest.mark.outside
@pytest.mark.xdist_group("meltano")
def test_meltano_invokes_it_with_the_settings_of_the_project(meltano_project, settings):
    with DemoApi() as api:
        env = settings(api.config)
        said = meltano_project.meltano("invoke", "tap-analytics:doctor", env=env)
        assert "24 streams" in said
        assert "no problems found" in said
        env["TAP_ANALYTICS_EXPERIMENTATION_API_KEY_HEADER"] = "api_key"
        said = meltano_project.meltano("invoke", "tap-analytics:doctor", env=env, fails=True)
    assert "answered 401" in said
    assert api.credentials.experimentation_api_key not in said
