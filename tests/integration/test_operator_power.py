# SPDX-License-Identifier: Apache-2.0
"""Power: of pods by the nodes they run on, and of a region shared by its jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.api import Api
from harness.grid import (
    VirtualClock,
    carbon_aware_job,
    condition,
    fresh_clock,
    job_template,
    parse_time,
    rfc3339,
    set_region,
    state,
)
from harness.operator import Operator, start_operator
from harness.process import ProcessRunner


@pytest.fixture
def clock() -> VirtualClock:
    return fresh_clock()


@pytest.fixture
def operator(operator_kubeconfig: Path, programs: ProcessRunner, clock: VirtualClock) -> Callable[..., Operator]:
    """Starts an operator on the shared cluster."""
    return lambda *flags: start_operator(programs, operator_kubeconfig, "loadshift-system", clock, *flags)


def annotate(api: Api, node: str, idle: str | None, peak: str | None) -> None:
    watts = {"loadshift.io/idle-watts": idle, "loadshift.io/peak-watts": peak}
    api.patch("nodes", node, {"metadata": {"annotations": watts}})


@contextlib.contextmanager
def watts(api: Api, region: str, idle: str, peak: str) -> Iterator[dict[str, Any]]:
    """The node of that region says what it draws; afterwards it says nothing again."""
    [node] = api.list("nodes", labelSelector=f"loadshift.io/region={region}")
    annotate(api, node["metadata"]["name"], idle, peak)
    try:
        yield node
    finally:
        annotate(api, node["metadata"]["name"], None, None)


def test_node_annotations_refine_the_power(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    """Its share of the node's range above idle: planned by the region's nodes, accounted by the node that it ran on."""
    set_region(api, "london", clock.now(), [300] * 48, [200000] * 48)
    timing = {"expectedDurationSeconds": 3600, "maxDelaySeconds": 3600, "homeRegion": "london"}
    with watts(api, "london", "100", "420") as node:
        cores = int(node["status"]["allocatable"]["cpu"])
        operator()
        # 0.1 of its cores.
        api.create(carbon_aware_job("measured", **timing))
        status = api.wait_condition("carbonawarejobs", "measured", "Complete")["status"]
        pod_watts = (420 - 100) * 0.1 / cores
        assert status["plan"]["expected"]["energyMilliWattHours"] == pytest.approx(1000 * pod_watts, abs=1)
        [run] = status["runs"]
        hours = (parse_time(run["endTime"]) - parse_time(run["startTime"])) / 3600
        assert run["energyMilliWattHours"] == pytest.approx(1000 * pod_watts * hours, abs=1)

        annotate(api, node["metadata"]["name"], "100", "lots")
        event = Api(api.client, "default").wait_event({"metadata": node["metadata"]}, "InvalidPowerAnnotation")
        assert 'loadshift.io/peak-watts must be a number of watts from 0 to 1000000 such as "212.5"' in event["message"]
        api.create(carbon_aware_job("by-profile", **timing))
        status = api.wait_condition("carbonawarejobs", "by-profile", "Complete")["status"]
        assert status["plan"]["expected"]["energyMilliWattHours"] == 1000  # 10 W a core


def test_a_blocked_start_gives_its_power_back(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    """What cannot start draws nothing: after ten minutes another job has its power, at once and not behind it."""
    limit = {"watts": 1000, "enforcement": "Hard"}
    set_region(api, "london", clock.now(), [300] * 96, [200000] * 96, powerLimit=limit)
    running = operator("--identity", "same")
    template = job_template()
    template["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "no-such-disk"}
    kilowatt = {
        "expectedDurationSeconds": 1800,
        "maxDelaySeconds": 90 * 1800,
        "powerWattsPerPod": 1000,
        "homeRegion": "london",
    }
    api.create(carbon_aware_job("blocked", template, **kilowatt))
    api.wait("jobs", "blocked", lambda j: j["spec"]["suspend"] is False, what="is released")
    api.create(carbon_aware_job("early", **kilowatt))
    caj = api.wait("carbonawarejobs", "early", state, what="is planned")
    assert state(caj) == "Deferred", "the other one holds the power"
    api.delete("carbonawarejobs", "early")
    running.kill()
    released = clock.now() - 660 * clock.factor
    api.patch("carbonawarejobs", "blocked", {"status": {"releasedTime": rfc3339(released)}}, subresource="status")
    running.start()
    caj = api.wait_condition("carbonawarejobs", "blocked", "StartBlocked")
    assert condition(caj, "StartBlocked")["reason"] == "Unschedulable"
    applied = clock.now()
    api.create(carbon_aware_job("next", **kilowatt))
    caj = api.wait_condition("carbonawarejobs", "next", "Complete")
    assert parse_time(caj["status"]["plan"]["segments"][0]["startTime"]) < applied + 5 * clock.factor
