# SPDX-License-Identifier: Apache-2.0
"""The operator with many jobs at once: in time, in order, and with few writes."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cluster import ControlPlane
from harness.api import Api
from harness.audit import AuditLog, Event
from harness.grid import VirtualClock, carbon_aware_job, fresh_clock, parse_time, rfc3339, set_region, state
from harness.operator import is_release, name_of, received, releases, start_operator
from harness.process import ProcessRunner
from harness.proxy import Proxy
from harness.waiting import wait_for

OPERATOR = "operator-under-test"
AT_ONCE = 4  # DUE_WORKERS


@pytest.fixture
def clock() -> VirtualClock:
    return fresh_clock()


def create_all(api: Api, objects: list[dict[str, Any]]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(api.create, objects))


def all_in(api: Api, count: int, wanted: Callable[[dict[str, Any]], bool], timeout: float, what: str) -> None:
    def number() -> int:
        return sum(wanted(caj) for caj in api.list("carbonawarejobs"))

    wait_for(number, timeout, until=lambda n: n == count, what=f"all {count} jobs are {what}", interval=count / 500)


# ---- a thousand at once ---------------------------------------------------------------------------------------------

JOBS = 1000


def test_a_thousand_jobs_at_once(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner, clock: VirtualClock
) -> None:
    """Planned within seconds of the last one's arrival, released in their windows, each run once."""
    plane = private_cluster()
    plane.add_nodes(10, {"loadshift.io/region": "london"})
    api, audit = Api(plane.client), AuditLog(plane.audit_log)
    # Clean for two minutes (real: 30 s), after a minute (real: 15 to 22 s) in which all of them are to be planned.
    set_region(api, "london", clock.now(), [300] * 5 + [20] * 6 + [300] * 80, [200000] * 91)
    kubeconfig = plane.kubeconfig_for(OPERATOR, ["system:masters"])
    operator = start_operator(programs, kubeconfig, "default", clock)
    started = time.time()
    create_all(
        api,
        [
            carbon_aware_job(
                f"job-{i:04}", expectedDurationSeconds=1800, maxDelaySeconds=24 * 1800 + i, powerWattsPerPod=100
            )
            for i in range(JOBS)
        ],
    )
    applied = time.time()
    all_in(api, JOBS, lambda c: state(c) is not None, 60, "planned")
    planned = time.time()
    all_in(api, JOBS, lambda c: state(c) == "Succeeded", 240, "complete")
    done = time.time()
    seen = list(audit.writes(namespace="default"))
    figures = writes_until_planned(api, seen)
    print(
        f"{JOBS} jobs: applied in {applied - started:.1f} s, planned {planned - applied:.1f} s later, complete after "
        f"{done - started:.1f} s; operator's writes per job until planned: {figures / JOBS:.2f}, "
        f"in all: {sum(map(by_operator, seen)) / JOBS:.2f}; "
        f"its CPU: {operator.metric('process_cpu_seconds_total'):.1f} s"
    )
    assert planned - applied < 45
    assert figures <= 3 * JOBS
    check_all_released_in_time(seen, clock)


def by_operator(event: Event) -> bool:
    return event["user"]["username"] == OPERATOR and event["objectRef"].get("resource") != "leases"


def writes_until_planned(api: Api, seen: list[Event]) -> int:
    """The operator's writes about all jobs before their releases: Jobs, statuses, and events."""
    total = 0
    for event in filter(by_operator, seen):
        if event["objectRef"].get("resource") == "carbonawarejobs":
            total += "releasedTime" not in event["responseObject"]["status"]
        elif event["objectRef"].get("resource") == "jobs":
            total += event["verb"] == "create"
    return total + sum(event["reason"] == "Deferred" for event in api.list("events"))


def check_all_released_in_time(seen: list[Event], clock: VirtualClock) -> None:
    """Each Job created once and released once, between its planned start and its latest start (contracts 4: 10 s)."""
    created, released, late = Counter[str](), Counter[str](), float("-inf")
    status: dict[str, dict[str, Any]] = {}
    for event in filter(by_operator, seen):
        resource, name = event["objectRef"].get("resource"), name_of(event)
        if resource == "carbonawarejobs":
            status[name] = event["responseObject"]["status"]
        elif resource == "jobs" and event["verb"] == "create":
            created[name] += 1
        elif is_release(event):
            released[name] += 1
            at = received(event)
            assert at >= clock.real(parse_time(status[name]["plan"]["segments"][0]["startTime"])) - 0.1, status[name]
            late = max(late, at - clock.real(parse_time(status[name]["latestStartTime"])))
    print(f"the last release came {-late:.1f} s before its latest start")
    assert set(created.values()) == set(released.values()) == {1}
    assert len(created) == len(released) == JOBS
    assert late <= 10


# ---- the return after an outage -------------------------------------------------------------------------------------


def test_overdue_jobs_are_released_in_deadline_order(
    cluster: ControlPlane, api: Api, programs: ProcessRunner, clock: VirtualClock, audit: AuditLog
) -> None:
    """The operator was away past the latest start of 100 jobs, and the providers died meanwhile. The first in the row
    cannot be released for reasons of its own: nobody waits behind it."""
    names = [f"due-{i:03}" for i in range(100)]
    shuffled = random.Random(1).sample(names, len(names))
    set_region(api, "london", clock.now(), [300] * 96, [200000] * 96)
    with Proxy(cluster, user=None) as proxy:
        kubeconfig = proxy.account_kubeconfig("loadshift-system", "loadshift-operator")
        flags = ("--identity", "away", "--max-forecast-age", "6h")
        operator = start_operator(programs, kubeconfig, "loadshift-system", clock, *flags)
        first = clock.now() + 12 * clock.factor  # real seconds, and every twelfth of one another latest start
        create_all(api, [with_latest_start(name, first + 20 * int(name[-3:])) for name in shuffled])
        all_in(api, len(names), lambda c: state(c) == "Deferred", 10, "deferred")
        operator.kill()
        assert releases(audit, api.namespace) == []
        set_region(api, "london", clock.now(), [300] * 96, [200000] * 96, fetched=clock.now() - 3 * 86400)
        time.sleep(max(0.0, clock.real(first + 20 * len(names)) - time.time()))

        proxy.answer(500, lambda r: r.method == "PATCH" and r.path.endswith("/jobs/due-000"), times=None)
        returned = time.time()
        operator.start()
        wait_for(lambda: let_go(api), 60, until=lambda n: n == 99, what="99 are released", interval=0.5)
        released = releases(audit, api.namespace)
        took = received(released[-1]) - returned
        proxy.clear_faults()
        wait_for(lambda: let_go(api), 10, until=lambda n: n == 100, what="the last is released", interval=0.5)
        all_in(api, len(names), lambda c: state(c) == "Succeeded", 60, "complete")
        operator.program.terminate()  # while there is a way to give the Lease back
    print(f"99 overdue jobs released within {took:.1f} s of the operator's return")
    assert sorted(map(name_of, released)) == names[1:]
    # Sent in order, so many at once: on the way to the API server some may pass another.
    for rank, event in enumerate(sorted(released, key=received), start=1):
        assert abs(rank - int(name_of(event)[-3:])) < 3 * AT_ONCE, [name_of(e) for e in released]
    assert took <= 10


def let_go(api: Api) -> int:
    return sum(not job["spec"]["suspend"] for job in api.list("jobs"))


def with_latest_start(name: str, at: float) -> dict[str, Any]:
    deadline = rfc3339(at + 1800 + 600)
    soft = {"maxCarbonGramsPerKWh": {"value": 100}}
    return carbon_aware_job(name, expectedDurationSeconds=1800, deadline=deadline, limits=soft)
