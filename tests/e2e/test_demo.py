# SPDX-License-Identifier: Apache-2.0
"""The demo itself: runs once, shows what it promises, and every choice in it equals the brute force's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo_world import OUTAGE
from e2e.brute_force import Bodies, Clock, Known, Replay, known_of, read_log, to_ms
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
    words += ("CarbonFallback:", "FirstSource:", "kubectl describe gr london", "Stress:", "Mix:")
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
            if name in released:  # after a pause
                assert name == "catalogue-refresh", f"{name} was released twice"
                continue
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


def replay_of(demo: Played) -> Replay:
    record = demo.record
    clock = Clock(to_ms(record["clock"]["origin"]), record["clock"]["factor"])
    with (demo.directory / "bodies.jsonl").open() as file:
        bodies = Bodies(json.loads(line) for line in file)
    with (demo.directory / "operator.log").open() as file:
        log = read_log(file)
    return Replay(bodies, record["carbonAwareJobs"], record["gridRegions"], record["nodes"], log, clock)


def test_every_choice_equals_the_brute_force(demo: Played) -> None:
    replay = replay_of(demo)
    log = replay.log
    assert {decision.job for decision in log.decisions} == {f"demo/{name}" for name in demo.jobs}
    assert len(log.decisions) >= 20  # some were made anew when data changed
    assert list(replay.check()) == []
    for name, job in demo.jobs.items():
        last = replay.standing_plan(f"demo/{name}", 2**62, before=True)
        segments = job["status"].get("plan", {}).get("segments") or []
        assert {s["region"] for s in segments} == ({last.region} if last and last.region else set())
        if last and last.segments:
            assert [(to_ms(s["startTime"]), to_ms(s["endTime"])) for s in segments] == [
                (s // 1000 * 1000, e // 1000 * 1000) for s, e in last.segments
            ]


WRONG_CHAINS = {
    "fully-trusted": lambda *a: (k := known_of(*a)) and Known(k.issued, 1000, k.columns),
    "first-source-only": lambda bodies, chain, until, now: known_of(bodies, chain[:1], until, now),
}


@pytest.mark.parametrize("name", WRONG_CHAINS)
def test_the_brute_force_notices_another_chain(demo: Played, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Were the operator's rules other than the brute force's, it would show: here the brute force's are changed."""
    monkeypatch.setattr("e2e.brute_force.known_of", WRONG_CHAINS[name])
    assert len(list(replay_of(demo).check())) >= 5


def test_goes_on_without_the_first_carbon_source(demo: Played) -> None:
    """It answers nothing but 5xx for hours; NESO's file stands in once its figures are no longer fresh, with less
    confidence and the same meaning, and jobs are planned and run by that."""
    provider, begin, end = OUTAGE
    with (demo.directory / "bodies.jsonl").open() as file:
        answers = [r for r in map(json.loads, file) if "/intensity/" in r["target"]]
    during = [r["status"] for r in answers if begin < r["now_ms"] / 1000 < end]
    assert during and all(status >= 500 for status in during)
    assert all(r["status"] == 200 for r in answers if not begin - 60 < r["now_ms"] / 1000 < end + 60)
    seen = demo.record["gridData"]
    before = [s for s in seen if to_ms(s["time"]) / 1000 < begin][-1]
    fallback, after = (s for s in seen if to_ms(s["time"]) / 1000 >= begin)
    assert before["provider"] == after["provider"] == provider and before["confidence"] == after["confidence"] == 1000
    assert (fallback["provider"], fallback["confidence"], fallback["comparable"]) == ("neso", 900, True)
    times = [to_ms(s["time"]) for s in (fallback, after)]
    assert begin < times[0] / 1000 < end < times[1] / 1000
    with (demo.directory / "operator.log").open() as file:
        decisions = read_log(file).decisions
    assert any(times[0] < d.now < times[1] for d in decisions), "nothing was planned in that time"
    released = [to_ms(j["status"]["releasedTime"]) for j in demo.jobs.values() if "releasedTime" in j["status"]]
    assert any(times[0] < at < times[1] for at in released), "nothing was released in that time"


def test_what_was_fetched_is_in_the_database(demo: Played) -> None:
    """All of GB's providers were asked, and carbon of two of them was kept with its issues."""
    with contextlib.closing(sqlite3.connect(demo.directory / "loadshift.db")) as db:
        called = {name for (name,) in db.execute("SELECT DISTINCT provider FROM provider_call")}
        issues = dict(
            db.execute(
                "SELECT provider, count(DISTINCT issued_ms) FROM forecast_vintage JOIN source ON source.id = source_id "
                "WHERE metric = 'carbon' AND resolution = 'regional' GROUP BY provider"
            )
        )
        metrics = {name for (name,) in db.execute("SELECT DISTINCT metric FROM latest_grid_conditions")}
    assert {"carbonintensity-gb", "octopus-agile", "elexon", "neso", "pv-live", "fuel-mix"} <= called
    assert issues["carbonintensity-gb"] > 20 and issues["neso"] > 20
    assert {"demand", "wind", "solar", "wholesale", "stress", "mix-wind"} <= metrics


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
