# SPDX-License-Identifier: Apache-2.0
"""Do no harm: without our extender, or with it configured but down, every job runs all the same, and in time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from demo_story import ACTS, POWER_LIMIT, finished
from demo_world import NAMESPACE, ROOT, World, parse_time, rfc3339
from harness.waiting import wait_for

pytestmark = pytest.mark.timeout(240)
HOUR = 3600
LATE = 10 * 240  # contracts 4: the latest start is kept within ten real seconds


def shortened(world: World, name: str) -> dict[str, Any]:
    """A job of the demo that has to be done in one go within four hours, a minute of real time."""
    path = ROOT / "demo" / "jobs" / f"{name}.yaml"
    job = json.loads(world.plane.kubectl("create", "--dry-run=client", "-o", "json", "-f", str(path)))
    job["metadata"]["namespace"] = NAMESPACE
    if "deadline" in job["spec"]:
        job["spec"]["deadline"] = rfc3339(world.clock.now() + 4 * HOUR)
    job["spec"].pop("earliestStartTime", None)
    job["spec"].pop("interrupt", None)
    job["spec"]["jobTemplate"]["spec"]["completions"] = job["spec"]["jobTemplate"]["spec"]["parallelism"]
    job["spec"]["expectedDurationSeconds"] = HOUR
    job["spec"]["safetyMarginSeconds"] = HOUR  # 15 s for control plane and scheduler
    template = job["spec"]["jobTemplate"]["spec"]["template"]
    template["metadata"]["annotations"]["kwok.loadshift.io/run-for"] = "15s"
    return job


@pytest.mark.parametrize("stock", [True, False], ids=["stock-scheduler", "extender-down"])
def test_every_job_runs_by_its_deadline(workdir: Path, stock: bool) -> None:
    names = [act.name for act in ACTS if act.name != "render-trailer"]
    with World(workdir, print, stock_scheduler=stock) as world:
        world.limit_power(POWER_LIMIT[0], 2 * POWER_LIMIT[1])
        world.start_grid()
        world.start_operator()
        path = f"/apis/loadshift.io/v1alpha1/namespaces/{NAMESPACE}/carbonawarejobs"
        for name in names:
            world.plane.expect("POST", path, shortened(world, name))
        jobs = wait_for(
            world.jobs, 120, what="every job is complete", until=lambda jobs: all(finished(job) for job in jobs)
        )
        world.check_programs()
    assert sorted(job["metadata"]["name"] for job in jobs) == sorted(names)
    for job in jobs:
        status, name = job["status"], job["metadata"]["name"]
        assert any(c["type"] == "Complete" and c["status"] == "True" for c in status["conditions"]), name
        allowed = {job["spec"]["homeRegion"], *job["spec"].get("relocate", {}).get("regions", [])}
        assert {run["region"] for run in status["runs"]} <= allowed, name
        if "deadlineTime" in status:
            assert parse_time(status["releasedTime"]) <= parse_time(status["latestStartTime"]) + LATE, name
            assert max(parse_time(run["endTime"]) for run in status["runs"]) <= parse_time(status["deadlineTime"]), name
