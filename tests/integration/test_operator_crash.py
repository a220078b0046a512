# SPDX-License-Identifier: Apache-2.0
"""The operator killed at every one of its writes: before the API server sees it, and before the reply comes back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from cluster import ControlPlane
from harness.api import Api
from harness.audit import AuditLog
from harness.grid import VirtualClock, carbon_aware_job, condition, fresh_clock, job_template, rfc3339, set_region
from harness.operator import (
    Operator,
    check_ran_once,
    creations,
    finished,
    releases,
    start_operator,
)
from harness.pauses import Workers, check_followed, writes_by_name
from harness.process import ProcessRunner
from harness.proxy import Proxy, Request, crash_points

# The latest start is 1.25 real seconds after submission.
WINDOW = {"expectedDurationSeconds": 1800, "maxDelaySeconds": 300, "powerWattsPerPod": 1000}
LIMIT = {"maxCarbonGramsPerKWh": {"value": 100}}
HARD = {"maxCarbonGramsPerKWh": {"value": 100, "enforcement": "Hard"}}


@pytest.fixture
def clock() -> VirtualClock:
    return fresh_clock()


@pytest.fixture
def proxy(cluster: ControlPlane, namespace: str) -> Iterator[Proxy]:
    """Counts writes about this namespace only, and no events."""
    with Proxy(cluster, user=None) as made:
        made.counts = lambda r: about(r, namespace)
        yield made


@pytest.fixture
def operator(api: Api, proxy: Proxy, programs: ProcessRunner, clock: VirtualClock) -> Operator:
    """Behind the proxy, with one write after the other; London's carbon is the same for ever."""
    set_region(api, "london", clock.now(), [300] * 96, [200000] * 96)
    kubeconfig = proxy.account_kubeconfig("loadshift-system", "loadshift-operator")
    return start_operator(programs, kubeconfig, "loadshift-system", clock, "--identity", "crashing", "--workers", "1")


def about(request: Request, namespace: str) -> bool:
    parts = request.path.split("/")
    return namespace in parts and not {"events", "leases"} & set(parts)


def deferred(name: str) -> dict[str, Any]:
    """Waits for its latest start; its template's TTL is one more write after the end."""
    template = job_template("1s", ttlSecondsAfterFinished=3600)
    return carbon_aware_job(name, template, **WINDOW, limits=LIMIT)


def at_once(name: str) -> dict[str, Any]:
    return carbon_aware_job(name, job_template("1s", ttlSecondsAfterFinished=3600), powerWattsPerPod=1000)


def hard_limited(name: str) -> dict[str, Any]:
    return carbon_aware_job(name, job_template(), **WINDOW, limits=HARD)


def at_rest(api: Api, name: str) -> bool:
    """Nothing is left to be written: the end is recorded, and the Job has its own TTL."""
    caj = api.get("carbonawarejobs", name)
    if not finished(caj):
        return False
    job = api.find("jobs", name)
    held = job and "loadshift.io/ttl-seconds-after-finished" in job["metadata"].get("annotations", {})
    return not held or job["spec"].get("ttlSecondsAfterFinished") is not None


def check(api: Api, audit: AuditLog, name: str, clock: VirtualClock, late: float = 10.0) -> None:
    """What must hold at the end of each of the three lives."""
    if not name.startswith("hard"):
        check_ran_once(api, audit, name, clock, late)
        return
    caj = api.get("carbonawarejobs", name)
    assert condition(caj, "Failed")["reason"] == "HardLimitUnmet"
    assert "releasedTime" not in caj["status"]
    assert api.get("jobs", name)["spec"]["suspend"] is True
    assert len(creations(audit, api.namespace, name)) == 1
    assert releases(audit, api.namespace) == [] or name not in str(releases(audit, api.namespace))


@pytest.mark.parametrize("life", [deferred, at_once, hard_limited])
def test_killed_at_every_write(
    api: Api, clock: VirtualClock, operator: Operator, proxy: Proxy, audit: AuditLog, life: Any
) -> None:
    """One kill a life, at its n-th write, for every n there is."""
    kills = 0
    for number, trap in enumerate(crash_points(proxy, operator.kill)):
        name = f"{life.__name__.replace('_', '-')}-{number}"
        api.create(life(name))
        fired = trap.fires_before(lambda: at_rest(api, name), what=f"{name} is at rest")
        if fired:
            kills += 1
            operator.start()
        api.wait("carbonawarejobs", name, lambda _: at_rest(api, name), what="is at rest")
        proxy.disarm()
        if trap.fired.is_set() and not fired:  # by a last write, which came after all that makes it rest
            operator.start()
        check(api, audit, name, clock)
        api.delete("carbonawarejobs", name)
        audit.mark()
    print(f"{life.__name__}: killed {kills} times")
    assert kills >= 2 * (3 if life is hard_limited else 5)


def test_killed_again_and_again(
    api: Api, clock: VirtualClock, operator: Operator, proxy: Proxy, audit: AuditLog
) -> None:
    """Three lives at once, and every single write of them is killed twice: never made, then made without a reply."""
    names = ["deferred", "at-once", "hard"]
    moments = itertools.cycle(("before", "after"))
    trap = proxy.arm(1, next(moments), operator.kill)
    for life, name in zip((deferred, at_once, hard_limited), names, strict=True):
        api.create(life(name))
    kills = 0
    while trap.fires_before(lambda: all(at_rest(api, name) for name in names), what="all are at rest"):
        kills += 1
        trap = proxy.arm(1, next(moments), operator.kill)
        operator.program.start()  # and dead again before it is ready, perhaps
    proxy.disarm()
    for name in names:
        check(api, audit, name, clock, late=60)
    print(f"killed {kills} times")
    assert kills >= 14


# ---- jobs that pause, move and scale --------------------------------------------------------------------------------

# Nothing is clean in the first hours, while it is created and planned.
TIDES = [600] * 6 + ([50] * 2 + [600] * 4) * 15
LONDON_FIRST = [600] * 6 + [50] * 3 + [700] * 87
THEN_SCOTLAND = [700] * 13 + [50] * 2 + [700] * 81
FLEXIBLE = {"interrupt": {"minRunSeconds": 900, "maxInterruptions": 2}, "powerWattsPerPod": 1000, "homeRegion": "london"}
SHAPES: dict[str, dict[str, Any]] = {
    "pausing": {},
    "moving": {"relocate": {"regions": ["north-scotland"]}},
    "scaling": {"scale": {"maxParallelism": 2}},
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shape", SHAPES)
def test_killed_at_every_write_of_a_life_with_pauses(
    api: Api, clock: VirtualClock, operator: Operator, proxy: Proxy, audit: AuditLog, shape: str
) -> None:
    """Each write of its life is killed twice: never made, then made without a reply. Still it pauses and goes on by its
    plan, never runs twice, and ends."""
    work = 2 * 3600
    set_region(api, "london", clock.now(), LONDON_FIRST if shape == "moving" else TIDES, [200000] * 96)
    set_region(api, "north-scotland", clock.now(), THEN_SCOTLAND, [200000] * 96)
    template = job_template("1h", parallelism=2, completions=6) if shape == "scaling" else job_template("1h")
    deadline = rfc3339(clock.now() + 12 * 3600)
    spec = {**FLEXIBLE, **SHAPES[shape], "expectedDurationSeconds": work, "deadline": deadline}
    api.create(carbon_aware_job(shape, template, **spec))
    moments = itertools.cycle(("before", "after"))
    kills = 0
    with Workers(api, clock, {shape: work}):
        trap = proxy.arm(1, next(moments), operator.kill)
        while trap.fires_before(lambda: at_rest(api, shape), 150, what=f"{shape} is at rest"):
            kills += 1
            trap = proxy.arm(1, next(moments), operator.kill)
            operator.program.start()
        proxy.disarm()
    caj = api.get("carbonawarejobs", shape)
    kinds = [kind for kind, _ in check_followed(writes_by_name(audit, api.namespace)[shape], shape, clock, late=20)]
    print(f"{shape}: killed {kills} times, {kinds}")
    assert condition(caj, "Complete").get("status") == "True", caj["status"]
    assert len(creations(audit, api.namespace, shape)) == 1
    assert caj["status"]["progress"]["interruptions"] >= 1
    assert kills >= 14
