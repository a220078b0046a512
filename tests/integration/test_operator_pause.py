# SPDX-License-Identifier: Apache-2.0
"""Jobs that pause, resume, move and scale by their plan, on the real API server and its Job controller.

All of them live at once in one world of seven real minutes' forecast, each in a region whose carbon makes its story the
best plan there is; each test looks at the story of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster import ControlPlane
from conftest import install_crds
from harness.api import Api
from harness.audit import AuditLog
from harness.grid import VirtualClock, carbon_aware_job, condition, fresh_clock, job_template, parse_time, rfc3339
from harness.grid import set_region, state
from harness.operator import LABEL_JOB, Operator, start_operator
from harness.pause_day import run_days
from harness.pauses import Workers, check_followed, placed_in, switches, writes_by_name
from harness.process import ROOT, ProcessRunner
from harness.proxy import Proxy

HOUR = 3600
CARBON = {
    # An hour clean, two dirty, and so on: two hours of work fit only into two clean hours.
    "london": ([50] * 2 + [600] * 4) * 16,
    # The same, but hardly worth a pause.
    "yorkshire": ([200] * 2 + [320] * 4) * 16,
    # Clean first, and then elsewhere.
    "south-wales": [50] * 3 + [700] * 93,
    "north-scotland": [700] * 6 + [50] * 2 + [700] * 88,
    # One hour dirty in between.
    "east-england": [50] * 2 + [600] * 2 + [50] * 92,
}
LIMITS = {"backoffLimit": 0, "activeDeadlineSeconds": 3 * HOUR}
SHAPES = {
    "failed-only": job_template("1h", podReplacementPolicy="Failed", **LIMITS),
    "indexed": job_template("1h", completionMode="Indexed", completions=3, parallelism=2, **LIMITS),
    "many": job_template("1h", completions=5, parallelism=2, **LIMITS),
}
MOVES = {"homeRegion": "south-wales", "relocate": {"regions": ["north-scotland"]}}


def pausing(name: str, now: float, hours: float = 2, within: float = 9, **spec: Any) -> dict[str, Any]:
    """Of that many hours, to be done within so many; the workers end it when the work is done."""
    template = spec.pop("template", None) or job_template("1h")
    common = {
        "interrupt": {"minRunSeconds": 900},
        "powerWattsPerPod": 1000,
        "homeRegion": "london",
        "deadline": rfc3339(now // 1800 * 1800 + within * HOUR),
        "expectedDurationSeconds": int(hours * HOUR),
    }
    return carbon_aware_job(name, template, **common | spec)


def stories(now: float) -> dict[str, tuple[dict[str, Any], float]]:
    """All objects by name, and for how many hours each works."""
    scales = pausing("scales", now, 1.75, 3.2, template=job_template("1h", completions=12, parallelism=4),
                     homeRegion="east-england", scale={"maxParallelism": 4})  # fmt: skip
    del scales["spec"]["interrupt"]
    made = [scales, pausing("moves", now, **MOVES), pausing("stays", now, **MOVES)]
    made += [pausing(name, now) for name in ("tides", "now", "by-hand", "held")]
    made += [pausing(name, now, template=template) for name, template in SHAPES.items()]
    made += [pausing("careful", now, homeRegion="yorkshire")]
    return {m["metadata"]["name"]: (m, m["spec"]["expectedDurationSeconds"] / HOUR) for m in made}


@dataclass
class World:
    api: Api
    audit: AuditLog
    clock: VirtualClock
    operator: Operator
    acts: dict[str, Future[Any]]

    def ended(self, name: str) -> dict[str, Any]:
        return self.api.wait(
            "carbonawarejobs", name, lambda c: state(c) in ("Succeeded", "Failed"), timeout=240, what="ends"
        )

    def followed(self, name: str) -> list[str]:
        writes = writes_by_name(self.audit, self.api.namespace)[name]
        return [kind for kind, _ in check_followed(writes, name, self.clock)]


@pytest.fixture(scope="module")
def world(run_directory: Path, kube_tools: dict[str, str]) -> Iterator[World]:
    directory = run_directory / "pauses"
    directory.mkdir()
    runner = ProcessRunner(directory)
    with ControlPlane(directory / "cluster", tools=kube_tools) as plane, Proxy(plane, user=None) as proxy:
        install_crds(plane)
        plane.kubectl("apply", "-f", str(ROOT / "manifests" / "rbac.yaml"))
        for name in CARBON:
            plane.add_nodes(1, {"loadshift.io/region": name}, prefix=name)
        api, audit, clock = Api(plane.client), AuditLog(plane.audit_log), fresh_clock()
        for name, carbon in CARBON.items():
            set_region(api, name, clock.now(), carbon, [200000] * 96)
        # As before Kubernetes 1.35, where a Job that has started keeps its affinity.
        proxy.answer(422, lambda r: r.path.endswith("/jobs/stays") and b'"remove"' in r.body, times=None)
        kubeconfig = proxy.account_kubeconfig("loadshift-system", "loadshift-operator")
        operator = start_operator(runner, kubeconfig, "loadshift-system", clock)
        made = stories(clock.now())
        work = {name: hours * HOUR for name, (_, hours) in made.items()}
        with Workers(api, clock, work, early={"indexed": 900, "many": 900}), ThreadPoolExecutor(8) as pool:
            for story, _ in made.values():
                api.create(story)
            acts = {act.__name__: pool.submit(act, api, clock) for act in (hurry, by_hand, hold, early_ones, checkpoint)}
            yield World(api, audit, clock, operator, acts)
        operator.program.terminate()  # while there is a way to give the Lease back
    runner.close()


def paused(api: Api, name: str) -> dict[str, Any]:
    """The Job, once it is paused and its pods are gone."""
    api.wait("carbonawarejobs", name, lambda c: state(c) == "Paused", timeout=120, what="is paused")
    return api.wait("jobs", name, lambda j: j["spec"]["suspend"] and not j["status"].get("active"), what="has no pod")


def hurry(api: Api, _: VirtualClock) -> dict[str, Any]:
    paused(api, "now")
    api.patch("carbonawarejobs", "now", {"metadata": {"annotations": {"loadshift.io/run-now": "true"}}})
    return api.wait("carbonawarejobs", "now", lambda c: state(c) == "Running", timeout=10, what="runs")


def by_hand(api: Api, _: VirtualClock) -> dict[str, Any]:
    paused(api, "by-hand")
    api.patch("jobs", "by-hand", {"spec": {"suspend": False}})
    return api.wait("carbonawarejobs", "by-hand", lambda c: state(c) == "Running", timeout=10, what="runs")


def hold(api: Api, _: VirtualClock) -> dict[str, Any]:
    paused(api, "held")
    api.patch("carbonawarejobs", "held", {"spec": {"suspend": True}})
    held = api.wait("carbonawarejobs", "held", lambda c: state(c) == "Suspended", timeout=10, what="is held")
    api.patch("carbonawarejobs", "held", {"spec": {"suspend": False}})
    return held


def early_ones(api: Api, _: VirtualClock) -> dict[str, Any]:
    return {name: paused(api, name) for name in SHAPES}


def checkpoint(api: Api, clock: VirtualClock) -> str | None:
    """Says that its last checkpoint was long ago; gives its state in the gap; then that it has just made one."""

    def tell(at: float) -> None:
        api.patch("jobs", "careful", {"metadata": {"annotations": {"loadshift.io/last-checkpoint": rfc3339(at)}}})

    def runs_with_a_gap(caj: dict[str, Any]) -> bool:
        return state(caj) == "Running" and len(caj["status"]["plan"]["segments"]) > 1

    running = api.wait("carbonawarejobs", "careful", runs_with_a_gap, timeout=90, what="runs")
    tell(1577836800)
    ends = parse_time(running["status"]["plan"]["segments"][0]["endTime"])
    time.sleep(max(clock.real(ends) - time.time(), 0) + 2)
    then = state(api.get("carbonawarejobs", "careful"))
    tell(time.time())
    return then


def test_pauses_through_the_dirty_hours(world: World) -> None:
    """Let go, paused, resumed: as planned, each recorded before it was done; energy by segment, and savings add up."""
    caj = world.ended("tides")
    assert state(caj) == "Succeeded", caj["status"]
    followed = world.followed("tides")
    assert followed[:3] == ["release", "pause", "release"]
    status = caj["status"]
    assert status["progress"]["interruptions"] == followed.count("pause")
    runs = status["runs"]
    assert [r.get("segment", 0) for r in runs] == list(range(len(runs))) and len(runs) >= 2, runs
    assert all(a["endTime"] <= b["startTime"] for a, b in zip(runs, runs[1:], strict=False)), runs
    assert sum(r["energyMilliWattHours"] for r in runs) == pytest.approx(status["actual"]["energyMilliWattHours"], abs=2)
    # Two hours of a kilowatt, and what stamps of whole seconds (four minutes here) make of it.
    assert status["actual"]["energyMilliWattHours"] == pytest.approx(2_000_000, rel=0.35)
    saved = status["savings"]
    assert saved["time"]["carbonMilligrams"] + saved["place"]["carbonMilligrams"] == saved["total"]["carbonMilligrams"]
    for reason in ("Released", "Paused", "Resumed", "Completed"):  # each follows the write that it tells of
        world.api.wait_event(caj, reason)
    assert world.operator.metric("loadshift_pauses_total") >= 1
    assert world.operator.metric("loadshift_resumes_total", reason="PlanDue") >= 1


def test_moves_between_two_parts(world: World) -> None:
    """Clean here first and there later: it goes on where it is clean, by one patch of affinity and suspend."""
    caj = world.ended("moves")
    assert state(caj) == "Succeeded", caj["status"]
    assert world.followed("moves") == ["release", "pause", "release"]
    job = world.api.get("jobs", "moves")
    assert placed_in(job) == "north-scotland"
    affinity = job["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    assert len(affinity["preferredDuringSchedulingIgnoredDuringExecution"]) == 1
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert len(term["matchExpressions"]) == 1
    assert [r["region"] for r in caj["status"]["runs"]] == ["south-wales", "north-scotland"]
    assert caj["status"]["progress"]["moves"] == 1
    assert caj["status"]["region"] == "north-scotland"


def test_a_refused_move_goes_on_in_place(world: World) -> None:
    caj = world.ended("stays")
    assert state(caj) == "Succeeded", caj["status"]
    assert caj["status"]["progress"]["inPlace"] is True
    assert caj["status"]["progress"]["moves"] == 0
    assert placed_in(world.api.get("jobs", "stays")) == "south-wales"
    assert {r["region"] for r in caj["status"]["runs"]} == {"south-wales"}
    world.api.wait_event(caj, "MoveRefused")


def test_scales_without_a_pause(world: World) -> None:
    """All pods while it is clean, one while it is not; never suspended in between."""
    caj = world.ended("scales")
    assert state(caj) == "Succeeded", caj["status"]
    kinds = world.followed("scales")
    assert kinds.count("release") == 1 and "pause" not in kinds and kinds.count("scale") >= 1, kinds


def test_a_paused_job_in_a_hurry_goes_on_at_once(world: World) -> None:
    """Run-now, and unsuspending the Job by hand, end a pause; spec.suspend keeps it, with the work done so far."""
    assert condition(world.acts["hurry"].result(200), "Released")["reason"] == "RunNow"
    assert condition(world.acts["by_hand"].result(200), "Released")["reason"] == "UnsuspendedByOther"
    assert world.acts["hold"].result(200)["status"]["progress"]["workSeconds"] >= 900
    for name in ("now", "by-hand", "held"):
        assert state(world.ended(name)) == "Succeeded", name
    for name in ("now", "by-hand"):
        assert [kind for kind, _ in switches(world.audit, "default", name)].count("pause") == 1


def test_pods_deleted_by_a_pause_are_no_failures(world: World) -> None:
    """backoffLimit 0 survives pauses, whichever podReplacementPolicy; completed indexes and pods stay so, and the rest
    of activeDeadlineSeconds is kept instead of counting anew."""
    then = world.acts["early_ones"].result(200)
    assert then["indexed"]["status"]["completedIndexes"] == "0"
    assert then["many"]["status"]["succeeded"] == 1
    for name in SHAPES:
        caj, job = world.ended(name), world.api.get("jobs", name)
        assert state(caj) == "Succeeded", (caj["status"], job["status"])
        assert caj["status"]["progress"]["interruptions"] >= 1
        assert not job["status"].get("failed"), job["status"]
        assert 2 * HOUR < job["spec"]["activeDeadlineSeconds"] < 3 * HOUR
        world.followed(name)
    assert world.api.get("jobs", "indexed")["status"]["completedIndexes"] == "0-2"
    pods = world.api.list("pods", labelSelector=f"{LABEL_JOB}=many")
    assert len([p for p in pods if p["status"]["phase"] == "Succeeded"]) == 5


def test_a_stale_checkpoint_keeps_it_running(world: World) -> None:
    """A workload that tells when it has saved its state is not paused while that would throw too much away, and is as
    soon as it has saved it."""
    assert world.acts["checkpoint"].result(200) == "Running"
    assert state(world.ended("careful")) == "Succeeded"
    assert "pause" in [kind for kind, _ in switches(world.audit, "default", "careful")]


@pytest.mark.timeout(900)
def test_many_jobs_through_a_recorded_day(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner
) -> None:
    """200 of them in six real minutes: every pause, resumption and move in the audit log is that of a plan."""
    total = run_days(private_cluster(), programs, fresh_clock(), jobs=200, hours=24, seed=1)
    assert total["pause"] >= 50 and total["move"] >= 5 and total["scale"] >= 5, total
