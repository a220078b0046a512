# SPDX-License-Identifier: Apache-2.0
"""The demo itself: runs once, shows what it promises, and every choice in it equals the brute force's."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.brute_force import Bodies, Clock, Replay, read_log, to_ms
from harness.audit import AuditLog
from harness.process import ROOT

DEMO = ROOT / "hack" / "demo"
pytestmark = pytest.mark.timeout(720)  # the first test waits for the whole demo
LATE = 10 * 240  # seconds of domain time: contracts 4 allows ten real ones


@dataclass
class Played:
    """One finished run of the demo."""

    directory: Path
    status: int
    output: str
    seconds: float

    @property
    def record(self) -> dict[str, Any]:
        return json.loads((self.directory / "demo.json").read_text())

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return {job["metadata"]["name"]: job for job in self.record["carbonAwareJobs"]}


def left_running(directory: Path) -> list[str]:
    """Command lines of live processes that mention the directory (all that the demo starts do)."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(directory) in line:
                found.append(line)
    return found


@pytest.fixture(scope="session")
def demo(run_directory: Path) -> Iterator[Played]:
    """hack/demo, played once for all tests of this file. A KUBECONFIG that must not be read is set."""
    directory = run_directory / "demo"
    started = time.monotonic()
    environment = {**os.environ, "KUBECONFIG": "/nonexistent/kubeconfig", "KEEP": "0"}
    result = subprocess.run(
        [sys.executable, str(DEMO), "--output", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
        env=environment,
    )
    yield Played(directory, result.returncode, result.stdout, time.monotonic() - started)


def test_ends_well_and_leaves_nothing_running(demo: Played) -> None:
    assert demo.status == 0, demo.output[-6000:]
    assert demo.seconds < 600
    assert left_running(demo.directory) == []


def test_shows_every_kind_of_job(demo: Played) -> None:
    """The demo judges itself by its checks (hack/demo_story.py); here is what a reader of its output sees."""
    words = ("Replanned:", "HardLimitUnmet:", "its latest start", "(Critical)", "(NoDeadline)", "kubectl get caj,gr")
    assert [word for word in words if word not in demo.output] == []
    for name, job in demo.jobs.items():
        assert re.search(rf"^{name} .*{job['status']['baseline']['rule']}, {job['status']['home']}", demo.output, re.M)
    assert "20 to 26 %" in demo.output


def test_savings_split_into_time_and_place(demo: Played) -> None:
    """The table's figures come from the objects, and add up there."""
    for job in demo.jobs.values():
        if "actual" not in job["status"]:
            continue
        savings = job["status"]["savings"]
        grams = [savings[k]["carbonMilligrams"] for k in ("time", "place", "total")]
        assert abs(grams[0] + grams[1] - grams[2]) <= 1
        micros = [round(float(savings[k]["cost"]) * 1e6) for k in ("time", "place", "total")]
        assert abs(micros[0] + micros[1] - micros[2]) <= 1
    assert any(
        float(job["status"]["savings"]["total"]["cost"]) < 0 for job in demo.jobs.values() if "actual" in job["status"]
    ), "no loss is shown: month-end-report should cost more than at once"


def test_one_job_each_and_never_late(demo: Played) -> None:
    """By the API server's audit log: one Job is created for each object, and released once, in time, in order."""
    log = AuditLog(demo.directory / "cluster" / "audit.log", start=0)
    clock = demo.record["clock"]
    origin = to_ms(clock["origin"]) / 1000
    writes = [w for w in log.writes(resource="jobs", namespace="demo") if "loadshift-operator" in w["user"]["username"]]
    created = [w["objectRef"]["name"] for w in writes if w["verb"] == "create"]
    assert sorted(created) == sorted(demo.jobs)
    released: dict[str, float] = {}
    for write in writes:
        if write["verb"] == "patch" and write["responseObject"]["spec"].get("suspend") is False:
            name = write["objectRef"]["name"]
            assert name not in released, f"{name} was released twice"
            real = to_ms(write["requestReceivedTimestamp"]) / 1000
            released[name] = origin + (real - origin) * clock["factor"]
    assert set(released) == set(demo.jobs) - {"render-trailer"}
    assert [j["metadata"]["name"] for j in demo.record["jobs"] if j["spec"].get("suspend")] == ["render-trailer"]
    for name, at in released.items():
        status = demo.jobs[name]["status"]
        if "latestStartTime" in status:
            assert at <= to_ms(status["latestStartTime"]) / 1000 + LATE, f"{name} was released too late"
        for run in status["runs"] if "deadlineTime" in status else []:
            assert to_ms(run["endTime"]) <= to_ms(status["deadlineTime"]), f"{name} ended too late"
    by_plan = sorted(released, key=lambda name: demo.jobs[name]["status"]["plan"]["segments"][0]["startTime"])
    assert list(released) == by_plan


def test_pods_ran_where_the_plan_said(demo: Played) -> None:
    """kube-scheduler, asked by no one but our extender and the Job's own affinity, put every pod in its region."""
    for pod in demo.record["pods"]:
        job = demo.jobs[pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]]
        region = pod["spec"]["nodeName"].rpartition("-")[0]
        assert region == job["status"]["plan"]["segments"][0]["region"]
    counter = r'^loadshift_extender_requests_total{verb="prioritize",result="ok"} (\d+)'
    asked = re.search(counter, demo.record["metrics"]["extender"], re.M)
    assert asked and int(asked[1]) > 0, "kube-scheduler never asked the extender, and would not have told"


def test_every_choice_equals_the_brute_force(demo: Played) -> None:
    record = demo.record
    clock = Clock(to_ms(record["clock"]["origin"]), record["clock"]["factor"])
    with (demo.directory / "bodies.jsonl").open() as file:
        bodies = Bodies(json.loads(line) for line in file)
    with (demo.directory / "operator.log").open() as file:
        log = read_log(file)
    replay = Replay(bodies, record["carbonAwareJobs"], record["gridRegions"], record["nodes"], log, clock)
    assert {decision.job for decision in log.decisions} == {f"demo/{name}" for name in demo.jobs}
    assert len(log.decisions) >= 20  # some were made anew when data changed
    assert list(replay.check()) == []
    for name, job in demo.jobs.items():
        last = replay.standing_plan(f"demo/{name}", 2**62, before=True)
        segments = job["status"].get("plan", {}).get("segments") or []
        assert [s["region"] for s in segments] == ([last.region] if last and last.region else [])


@pytest.mark.parametrize("after", [3.0, 22.0], ids=["while-starting", "in-mid-story"])
def test_ctrl_c_leaves_nothing_running(workdir: Path, after: float) -> None:
    directory = workdir / "demo"
    process = subprocess.Popen(
        [sys.executable, str(DEMO), "--output", str(directory)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    time.sleep(after)
    assert process.poll() is None and left_running(directory)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT, output.decode()[-3000:]
    assert b"Traceback" not in output
    assert left_running(directory) == []
