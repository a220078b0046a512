# SPDX-License-Identifier: Apache-2.0
"""Jobs that pause, resume, move and scale by their plan, on the real API server and its Job controller."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.api import Api
from harness.audit import AuditLog
from harness.grid import VirtualClock, carbon_aware_job, condition, fresh_clock, job_template, parse_time, set_region, state
from harness.operator import LABEL_JOB, Operator, start_operator
from harness.pauses import Workers, check_followed, placed_in, switches
from harness.process import ProcessRunner

HOUR = 3600
# An hour clean, two dirty, an hour clean, and so on: two hours of work fit only into two clean hours.
TIDES = ([50] * 2 + [600] * 4) * 16
EBB = ([600] * 6 + [50] * 2 + [600] * 4 + [50] * 2 + [600] * 4) * 4


@pytest.fixture
def clock() -> VirtualClock:
    """Begins with a slot, so that plans begin with one, too."""
    clock = VirtualClock(240, int(time.time()) // 1800 * 1800 - 1800)
    rest = -clock.now() % 1800 / 240
    time.sleep(rest + 0.3 if rest < 4 else 0)
    return clock


@pytest.fixture
def operator(
    api: Api, programs: ProcessRunner, operator_kubeconfig: Any, clock: VirtualClock
) -> Callable[..., Operator]:
    def start(*flags: str) -> Operator:
        return start_operator(programs, operator_kubeconfig, "loadshift-system", clock, "--identity", "pausing", *flags)

    return start


def slot_of(clock: VirtualClock) -> float:
    return clock.now() // 1800 * 1800


def pausing(name: str, clock: VirtualClock, hours: float = 2, within: float = 9, **spec: Any) -> dict[str, Any]:
    """Of that many hours, to be done within so many; the test's workers end it when the work is done."""
    template = spec.pop("template", None) or job_template("1h")
    deadline = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(slot_of(clock) + within * HOUR))
    spec = {"interrupt": {"minRunSeconds": 900}, "powerWattsPerPod": 1000, "deadline": deadline} | spec
    return carbon_aware_job(name, template, expectedDurationSeconds=int(hours * HOUR), **spec)


def run(api: Api, name: str, clock: VirtualClock, hours: float = 2, timeout: float = 240) -> dict[str, Any]:
    with Workers(api, clock, {name: hours * HOUR}):
        return api.wait("carbonawarejobs", name, lambda c: state(c) in ("Succeeded", "Failed"), timeout=timeout, what="ends")


def test_pauses_through_the_dirty_hours(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """Let go, paused, resumed: as planned, each recorded before it was done; energy by segment, and savings add up."""
    set_region(api, "london", clock.now(), TIDES, [200000] * 96)
    running = operator()
    api.create(pausing("tides", clock))
    caj = run(api, "tides", clock)
    assert state(caj) == "Succeeded", caj["status"]
    followed = check_followed(audit, api.namespace, "tides", clock)
    assert [kind for kind, _ in followed][:3] == ["release", "pause", "release"]
    status, job = caj["status"], api.get("jobs", "tides")
    assert status["progress"]["interruptions"] == len([k for k, _ in followed if k == "pause"]) >= 1
    assert "failed" not in job["status"]
    runs = status["runs"]
    assert [r.get("segment", 0) for r in runs] == list(range(len(runs))) and len(runs) >= 2, runs
    assert all(a["endTime"] <= b["startTime"] for a, b in zip(runs, runs[1:], strict=False)), runs
    assert sum(r["energyMilliWattHours"] for r in runs) == pytest.approx(status["actual"]["energyMilliWattHours"], abs=2)
    # Two hours of a kilowatt, and what stamps of whole seconds (four minutes here) make of it.
    assert status["actual"]["energyMilliWattHours"] == pytest.approx(2_000_000, rel=0.35)
    saved = status["savings"]
    assert saved["time"]["carbonMilligrams"] + saved["place"]["carbonMilligrams"] == saved["total"]["carbonMilligrams"]
    reasons = {e["reason"] for e in api.list("events") if e["involvedObject"]["name"] == "tides"}
    assert {"Released", "Paused", "Resumed", "Completed"} <= reasons
    assert running.metric("loadshift_pauses_total") == running.metric("loadshift_resumes_total") >= 1


def test_moves_between_two_parts(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """Clean here first and there later: it goes on where it is clean, by one patch of affinity and suspend."""
    set_region(api, "london", clock.now(), [50] * 2 + [700] * 94, [200000] * 96)
    set_region(api, "north-scotland", clock.now(), [700] * 6 + [50] * 90, [200000] * 96)
    operator()
    api.create(pausing("moves", clock, homeRegion="london", relocate={"regions": ["north-scotland"]}))
    caj = run(api, "moves", clock)
    assert state(caj) == "Succeeded", caj["status"]
    followed = check_followed(audit, api.namespace, "moves", clock)
    assert [kind for kind, _ in followed] == ["release", "pause", "release"]
    job = api.get("jobs", "moves")
    assert placed_in(job) == "north-scotland"
    terms = job["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    assert len(terms["preferredDuringSchedulingIgnoredDuringExecution"]) == 1
    (term,) = terms["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert len(term["matchExpressions"]) == 1
    assert [r["region"] for r in caj["status"]["runs"]] == ["london", "north-scotland"]
    assert caj["status"]["progress"]["moves"] == 1


def test_scales_without_a_pause(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """All pods while it is clean, one while it is not; never suspended in between."""
    set_region(api, "london", clock.now(), [50] * 2 + [600] * 2 + [50] * 92, [200000] * 96)
    operator()
    template = job_template("1h", completions=12, parallelism=4)
    caj = pausing("scales", clock, hours=1.75, within=4, template=template, scale={"maxParallelism": 4})
    del caj["spec"]["interrupt"]
    api.create(caj)
    done = run(api, "scales", clock, hours=1.75)
    assert state(done) == "Succeeded", done["status"]
    kinds = [kind for kind, _ in check_followed(audit, api.namespace, "scales", clock)]
    assert kinds.count("release") == 1 and "pause" not in kinds and kinds.count("scale") >= 1, kinds


def test_a_paused_job_in_a_hurry_goes_on_at_once(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """Run-now, and unsuspending the Job by hand, end a pause; spec.suspend keeps it, with the work done so far."""
    set_region(api, "london", clock.now(), TIDES, [200000] * 96)
    operator()
    names = ["now", "by-hand", "held"]
    with Workers(api, clock, dict.fromkeys(names, 2 * HOUR)):
        for name in names:
            api.create(pausing(name, clock))
        for name in names:
            api.wait("carbonawarejobs", name, lambda c: state(c) == "Paused", timeout=60, what="is paused")
            api.wait("jobs", name, lambda j: not j["status"].get("active"), what="has no pod")
        api.patch("carbonawarejobs", "now", {"metadata": {"annotations": {"loadshift.io/run-now": "true"}}})
        api.patch("jobs", "by-hand", {"spec": {"suspend": False}})
        api.patch("carbonawarejobs", "held", {"spec": {"suspend": True}})
        for name, reason in (("now", "RunNow"), ("by-hand", "UnsuspendedByOther")):
            caj = api.wait("carbonawarejobs", name, lambda c: state(c) == "Running", timeout=10, what="runs")
            assert condition(caj, "Released")["reason"] == reason
            api.wait("carbonawarejobs", name, lambda c: state(c) == "Succeeded", timeout=60, what="ends")
        held = api.wait("carbonawarejobs", "held", lambda c: state(c) == "Suspended", timeout=10, what="is held")
        assert held["status"]["progress"]["workSeconds"] >= 1800
        api.patch("carbonawarejobs", "held", {"spec": {"suspend": False}})
        api.wait("carbonawarejobs", "held", lambda c: state(c) == "Succeeded", timeout=120, what="ends")
    for name in ("now", "by-hand"):
        assert [kind for kind, _ in switches(audit, api.namespace, name)].count("pause") == 1


def test_pods_deleted_by_a_pause_are_no_failures(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    """backoffLimit 0 survives any number of pauses, whichever podReplacementPolicy; completed indexes stay so, and the
    rest of activeDeadlineSeconds is kept instead of counting anew."""
    set_region(api, "london", clock.now(), TIDES, [200000] * 96)
    operator()
    common = {"backoffLimit": 0, "activeDeadlineSeconds": 3 * HOUR}
    shapes = {
        "failed-only": job_template("1h", podReplacementPolicy="Failed", **common),
        "indexed": job_template("1h", completionMode="Indexed", completions=3, parallelism=2, **common),
        "many": job_template("1h", completions=5, parallelism=2, **common),
    }
    with Workers(api, clock, dict.fromkeys(shapes, 2 * HOUR)):
        for name, template in shapes.items():
            api.create(pausing(name, clock, template=template))
        for name in shapes:
            caj = api.wait("carbonawarejobs", name, lambda c: state(c) in ("Succeeded", "Failed"), timeout=240, what="ends")
            job = api.get("jobs", name)
            assert state(caj) == "Succeeded", (caj["status"], job["status"])
            assert caj["status"]["progress"]["interruptions"] >= 1
            assert "failed" not in job["status"]
            assert job["spec"]["activeDeadlineSeconds"] < 3 * HOUR
    assert api.get("jobs", "indexed")["status"]["completedIndexes"] == "0-2"
    assert api.get("jobs", "many")["status"]["succeeded"] == 5
    assert len([p for p in api.list("pods", labelSelector=f"{LABEL_JOB}=many") if p["status"]["phase"] == "Succeeded"]) == 5


def test_a_stale_checkpoint_keeps_it_running(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """A workload that tells when it has saved its state is not paused while that would throw too much away."""
    set_region(api, "london", clock.now(), TIDES, [200000] * 96)
    operator()
    api.create(pausing("careful", clock))
    api.wait("carbonawarejobs", "careful", lambda c: state(c) == "Running", timeout=60, what="runs")
    long_ago = {"loadshift.io/last-checkpoint": "2020-01-01T00:00:00Z"}
    api.patch("jobs", "careful", {"metadata": {"annotations": long_ago}})
    caj = api.get("carbonawarejobs", "careful")
    ends = parse_time(caj["status"]["plan"]["segments"][0]["endTime"])
    time.sleep(max(clock.real(ends) - time.time(), 0) + 2)
    assert state(api.get("carbonawarejobs", "careful")) == "Running"
    api.patch("jobs", "careful", {"metadata": {"annotations": {
        "loadshift.io/last-checkpoint": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}})  # fmt: skip
    api.wait("carbonawarejobs", "careful", lambda c: state(c) == "Paused", timeout=10, what="pauses after its checkpoint")
