# SPDX-License-Identifier: Apache-2.0
"""The operator while its surroundings fail: API server, leadership, grid data, and absence of itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import ControlPlane
from harness.api import Api
from harness.audit import AuditLog
from harness.grid import (
    VirtualClock,
    carbon_aware_job,
    condition,
    fresh_clock,
    job_template,
    parse_time,
    set_region,
    state,
)
from harness.operator import (
    QUICK_LEASE,
    Operator,
    check_ran_once,
    check_released_once,
    creations,
    name_of,
    received,
    releases,
    start_operator,
)
from harness.process import ProcessRunner
from harness.proxy import Proxy, Request, Write
from harness.waiting import stays, wait_for

HALF_HOUR = 1800
# The clean slots come after about this many real seconds at factor 240.
CLEAN_AFTER_10 = [300] * 2 + [20] * 2 + [300] * 44
SOFT = {"maxCarbonGramsPerKWh": {"value": 100}}


@pytest.fixture
def clock() -> VirtualClock:
    return fresh_clock()


@pytest.fixture
def operator(operator_kubeconfig: Path, programs: ProcessRunner, clock: VirtualClock) -> Callable[..., Operator]:
    """Starts an operator on the shared cluster."""
    return lambda *flags: start_operator(programs, operator_kubeconfig, "loadshift-system", clock, *flags)


def london(api: Api, clock: VirtualClock, carbon: list[int | None], **options: Any) -> None:
    set_region(api, "london", clock.now(), carbon, [200000] * len(carbon), **options)


def waiting(name: str, seconds: float, clock: VirtualClock, **spec: Any) -> dict[str, Any]:
    """A job whose latest start is that many real seconds after its submission; it waits for that in an even grid."""
    delay = int(seconds * clock.factor)
    usual = {"expectedDurationSeconds": HALF_HOUR, "maxDelaySeconds": delay, "powerWattsPerPod": 1000, "limits": SOFT}
    return carbon_aware_job(name, **{**usual, **spec})


def deferred(api: Api, name: str) -> dict[str, Any]:
    return api.wait("carbonawarejobs", name, lambda c: state(c) == "Deferred", what="is deferred")


# ---- the API server -------------------------------------------------------------------------------------------------


def private_london(plane: ControlPlane, clock: VirtualClock) -> Api:
    plane.add_nodes(1, {"loadshift.io/region": "london"})
    api = Api(plane.client)
    london(api, clock, [300] * 96)
    return api


@pytest.mark.threads
def test_api_server_restarts(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner, clock: VirtualClock
) -> None:
    """Jobs planned before and after are released in time; what the old watches missed is listed anew."""
    plane = private_cluster()
    audit = AuditLog(plane.audit_log)
    api = private_london(plane, clock)
    operator = start_operator(programs, plane.kubeconfig, "default", clock)
    api.create(waiting("before", 12, clock))
    deferred(api, "before")
    relists = operator.metric("k8s_informer_relists_total")
    plane.expire_watches()  # restarts it, too
    api.create(waiting("after", 4, clock))
    for name in ("before", "after"):
        api.wait_condition("carbonawarejobs", name, "Complete", timeout=60)
        check_ran_once(api, audit, name, clock)
    assert operator.program.running()
    assert operator.metric("k8s_informer_relists_total") > relists


def test_compaction_while_cut_off(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner, clock: VirtualClock
) -> None:
    """A real 410: the network was gone, history was compacted meanwhile. Nothing that happened then is lost."""
    plane = private_cluster(watch_cache=False)
    audit = AuditLog(plane.audit_log)
    api = private_london(plane, clock)
    with Proxy(plane) as proxy:
        operator = start_operator(programs, proxy.kubeconfig, "default", clock)
        for name in ("kept", "removed"):
            api.create(waiting(name, 15, clock))
            deferred(api, name)
        relists = operator.metric("k8s_informer_relists_total", kind="CarbonAwareJob")
        proxy.block()
        api.create(waiting("added", 10, clock))
        api.delete("carbonawarejobs", "removed")
        plane.compact_all()
        proxy.cut_all()
        proxy.unblock()
        for name in ("kept", "added"):
            api.wait_condition("carbonawarejobs", name, "Complete", timeout=60)
            check_ran_once(api, audit, name, clock)
        assert operator.metric("k8s_informer_relists_total", kind="CarbonAwareJob") > relists
        assert len(creations(audit, "default", "removed")) == 1
        assert "removed" not in map(name_of, releases(audit, "default"))


# ---- leadership -----------------------------------------------------------------------------------------------------


@pytest.mark.threads
def test_stopped_leader_writes_nothing_after_the_takeover(
    cluster: ControlPlane, api: Api, programs: ProcessRunner, clock: VirtualClock, audit: AuditLog
) -> None:
    """A leader hangs for 20 s, and the record of its last release is stuck in the network for as long."""
    london(api, clock, [300] * 96)
    with Proxy(cluster, user="operator-one", groups=("system:masters",)) as proxy:
        first = start_operator(programs, proxy.kubeconfig, api.namespace, clock, *QUICK_LEASE, label="one")
        kubeconfig = cluster.kubeconfig_for("operator-two", ["system:masters"])
        wait_for(lambda: held_by(api), what="the first leads", until=bool)
        leader = held_by(api)
        second = start_operator(programs, kubeconfig, api.namespace, clock, *QUICK_LEASE, label="two")
        names = ["due-0", "due-1", "due-2", "due-3"]
        for i, name in enumerate(names):
            api.create(waiting(name, 5 + 3 * i, clock))
        for name in names:
            deferred(api, name)
        stuck = threading.Event()
        proxy.delay(20, lambda r: is_record(r, "due-0") and (stuck.set() or True), times=1)
        wait_for(stuck.is_set, what="the record of the first release is on its way")
        first.program.pause()
        stopped = time.time()
        wait_for(lambda: held_by(api) not in ("", leader), what="the second leads")
        for name in names:
            api.wait_condition("carbonawarejobs", name, "Complete", timeout=40)
        time.sleep(max(0.0, 20 - (time.time() - stopped)))
        first.program.resume()
        assert first.program.wait(10) == 1  # it found out, and ended for a restart
        takeover = next(
            received(e) for e in audit.writes(resource="leases", namespace=api.namespace, user="operator-two")
        )
        records = [write for write in proxy.writes if is_record(write, "due-0")]
        wait_for(lambda: records[0].status == 409, what="the record is refused")
    late = [e for e in audit.writes(user="operator-one") if received(e) > takeover]
    assert late == [], [(e["verb"], e["requestURI"], e["requestReceivedTimestamp"]) for e in late]
    assert second.program.running()
    for name in names:
        check_ran_once(api, audit, name, clock)
    by_second = [e for e in releases(audit, api.namespace) if e["user"]["username"] == "operator-two"]
    assert {name_of(e) for e in by_second} == set(names)


def held_by(api: Api) -> str:
    lease = api.find("leases", "loadshift-operator")
    return (lease or {"spec": {}})["spec"].get("holderIdentity") or ""


def is_record(write: Request | Write, name: str) -> bool:
    """A status write that says the job is released."""
    if not write.path.endswith(f"/{name}/status"):
        return False
    body = json.loads(write.body) if isinstance(write.body, bytes) else write.body
    return bool(body["status"].get("releasedTime"))


# ---- grid data ------------------------------------------------------------------------------------------------------


def test_region_deleted_while_jobs_wait(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """First its data were known, then it is gone: its jobs start by their latest start all the same."""
    london(api, clock, CLEAN_AFTER_10)
    operator()
    api.create(waiting("clean", 60, clock, limits=None, homeRegion="london"))
    api.create(waiting("late", 8, clock))
    for name in ("clean", "late"):
        deferred(api, name)
    api.delete("gridregions", "london")
    for name in ("clean", "late"):
        api.wait_condition("carbonawarejobs", name, "Complete", timeout=60)
        check_released_once(audit, api.namespace, name, clock)


@pytest.mark.parametrize("data", ["stale", "null"])
def test_without_data(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog, data: str
) -> None:
    """onNoData decides: at once, or at the latest start. Never later, and never called green."""
    if data == "stale":
        london(api, clock, [300] * 20 + [1] * 4 + [300] * 60, fetched=clock.now() - 3 * 86400)
    else:
        set_region(api, "london", clock.now(), [None] * 48, [None] * 48)
    operator("--max-forecast-age", "6h")
    api.create(waiting("run-now", 20, clock, limits=None))
    api.create(waiting("wait", 8, clock, limits=None, onNoData="RunAtLatestStart"))
    caj = api.wait_condition("carbonawarejobs", "run-now", "Complete", timeout=12)
    assert condition(caj, "Degraded")["status"] == "True"
    caj = api.wait_condition("carbonawarejobs", "wait", "Complete", timeout=40)
    assert parse_time(caj["status"]["releasedTime"]) >= parse_time(caj["status"]["latestStartTime"])
    for name in ("run-now", "wait"):
        check_released_once(audit, api.namespace, name, clock)


def test_data_go_stale_while_a_job_waits(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """The providers die: what was planned on good data stands no longer than the data; the latest start always does."""
    good = [300] * 3 + [20] * 2 + [300] * 60
    london(api, clock, good)  # that there is a region must be known before the jobs are
    operator("--max-forecast-age", "15m")  # 3.75 real seconds; looked at again every slot, that is 7.5
    london(api, clock, good)
    api.create(waiting("run-now", 25, clock, limits=None))
    api.create(waiting("wait", 25, clock, limits=None, onNoData="RunAtLatestStart"))
    for name in ("run-now", "wait"):
        deferred(api, name)
    for name in ("run-now", "wait"):
        api.wait_condition("carbonawarejobs", name, "Complete", timeout=60)
        check_released_once(audit, api.namespace, name, clock)
    released = parse_time(api.get("carbonawarejobs", "run-now")["status"]["releasedTime"])
    assert released < clock.origin // HALF_HOUR * HALF_HOUR + 3 * HALF_HOUR


# ---- while the operator is away -------------------------------------------------------------------------------------


def test_things_happen_while_the_operator_is_down(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """A Job with TTL 0 ends, one is deleted by its user, one loses its object, and one gets its template's namesake."""
    london(api, clock, [300] * 96)
    running = operator("--identity", "away")
    forever = 96 * HALF_HOUR
    api.create(carbon_aware_job("ends", job_template("3s", ttlSecondsAfterFinished=0), powerWattsPerPod=1000))
    for name in ("job-deleted", "object-deleted"):
        api.create(waiting(name, forever / clock.factor, clock))
        deferred(api, name)
    api.wait("jobs", "ends", lambda j: j["status"].get("ready") == 1, what="runs")
    api.wait("carbonawarejobs", "ends", lambda c: state(c) == "Running", what="is seen to run")
    running.kill()

    api.wait_condition("jobs", "ends", "Complete")
    api.delete("jobs", "job-deleted")
    api.delete("carbonawarejobs", "object-deleted")
    api.wait_gone("jobs", "job-deleted")
    api.wait_gone("jobs", "object-deleted", timeout=60)
    stays(lambda: api.find("jobs", "ends"), 2, what="the Job that ended waits for its record")

    running.start()
    caj = api.wait_condition("carbonawarejobs", "ends", "Complete")
    assert caj["status"]["actual"]["energyMilliWattHours"] > 0
    assert sum(run["pods"] for run in caj["status"]["runs"]) == 1
    api.wait_gone("jobs", "ends")
    caj = api.wait_condition("carbonawarejobs", "job-deleted", "Failed")
    assert condition(caj, "Failed")["reason"] == "JobDeleted"
    stays(
        lambda: all(api.find("jobs", name) is None for name in ("ends", "job-deleted", "object-deleted")),
        2,
        what="no Job came back",
    )
    assert condition(api.get("carbonawarejobs", "ends"), "Complete")["status"] == "True"
    for name in ("ends", "job-deleted", "object-deleted"):
        assert len(creations(audit, api.namespace, name)) == 1


def test_operator_returns_after_a_planned_start(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """A start that nobody was there for is not waited for again: the job still starts by its latest start."""
    london(api, clock, [300] * 2 + [20] * 2 + [300] * 92)
    running = operator("--identity", "away")
    api.create(waiting("missed", 25, clock, limits=None))
    caj = deferred(api, "missed")
    running.kill()
    assert parse_time(caj["status"]["estimatedStartTime"]) < clock.origin + 4 * HALF_HOUR
    time.sleep(max(0.0, clock.real(parse_time(caj["status"]["latestStartTime"])) - time.time() - 3))
    running.start()
    api.wait_condition("carbonawarejobs", "missed", "Complete", timeout=30)
    check_ran_once(api, audit, "missed", clock)


def test_restart_moves_no_plan(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """A new process knows its predecessor's plan: a better start within the forecast's error is no reason to move."""
    began = clock.now()  # the same slots in both forecasts, also when one begins in between
    set_region(api, "london", began, [300] * 2 + [100] * 2 + [300] * 44, [200000] * 48)
    running = operator("--identity", "away")
    api.create(waiting("steady", 120, clock, limits=None))
    before = deferred(api, "steady")["status"]
    running.kill()
    set_region(api, "london", began, [300] * 2 + [100] * 2 + [300] * 2 + [95] * 2 + [300] * 40, [200000] * 48)
    running.start()
    time.sleep(2)
    after = api.get("carbonawarejobs", "steady")["status"]
    assert (after["planID"], after["plan"]) == (before["planID"], before["plan"])
    api.wait_condition("carbonawarejobs", "steady", "Complete", timeout=60)
    check_ran_once(api, audit, "steady", clock)
