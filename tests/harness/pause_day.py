# SPDX-License-Identifier: Apache-2.0
"""A recorded day, or three, with many jobs that may pause, move and scale."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cluster import ControlPlane
from harness.api import Api
from harness.audit import AuditLog
from harness.grid import SLOT, VirtualClock, carbon_aware_job, job_template, rfc3339, set_region, state
from harness.operator import name_of, start_operator
from harness.pauses import Workers, check_followed, placed_in, writes_by_name
from harness.process import ProcessRunner
from harness.replay import recorded
from harness.waiting import wait_for

HOUR = 3600
# Columns of the recording: regions that take turns in being the cleaner one, or nobody would move between two parts.
COLUMNS = {"south-england": 11, "london": 12, "south-east-england": 13}


def one_of_many(number: int, rng: random.Random, now: float, hours: float) -> tuple[dict[str, Any], float]:
    """A third each may only pause, may move too, may scale too; and how many domain seconds it works."""
    work = rng.choice((3, 4, 5, 6, 8)) * HOUR
    deadline = now + min(work + rng.uniform(8, 16) * HOUR, hours * HOUR)
    home, other = rng.sample(sorted(COLUMNS), 2)
    spec: dict[str, Any] = {
        "interrupt": {"minRunSeconds": rng.choice((900, 1800, 3600)), "maxInterruptions": rng.randint(1, 5)},
        "homeRegion": home,
        "weights": {"carbon": 100, "cost": 0, "delay": 0},
        "powerWattsPerPod": 1000,
        "expectedDurationSeconds": int(work),
        "deadline": rfc3339(deadline),
    }
    template = job_template("12h")
    if number % 3 == 1:
        spec["relocate"] = {"regions": [other]}
    if number % 3 == 2:
        template = job_template("12h", parallelism=2, completions=8)
        spec["scale"] = {"maxParallelism": 2}
    return carbon_aware_job(f"day-{number:03}", template, **spec), work


def run_days(
    plane: ControlPlane, programs: ProcessRunner, clock: VirtualClock, jobs: int, hours: float, seed: int
) -> Counter[str]:
    """Submits them within the first hours, waits for all, and checks each one's audit trail against its status."""
    api, audit, rng = Api(plane.client), AuditLog(plane.audit_log), random.Random(seed)
    rows, first = recorded(), clock.now()
    for name, column in COLUMNS.items():
        plane.add_nodes(2, {"loadshift.io/region": name}, prefix=name)
        set_region(api, name, first, [row[column] for row in rows[:144]], [200000] * 144)
        # The forecast is the recording: nothing is in doubt.
        api.patch("gridregions", name, {"status": {"carbonErrorMilligramsPerKWh": 1000}}, subresource="status")
    kubeconfig = plane.kubeconfig_for("operator-under-test", ["system:masters"])
    operator = start_operator(programs, kubeconfig, "default", clock)
    # Within a day all come at once; else by turns, until a day before the end.
    arrivals = [first + max(hours - 24, 0) * HOUR * i / jobs for i in range(jobs)]
    made = [one_of_many(i, rng, arrivals[i], min(hours, 24) - 2) for i in range(jobs)]
    work = {obj["metadata"]["name"]: seconds for obj, seconds in made}

    def submit(i: int) -> None:
        time.sleep(max(clock.real(arrivals[i]) - time.time(), 0))
        api.create(made[i][0])

    timeout = hours * HOUR / clock.factor + 120
    with Workers(api, clock, work), ThreadPoolExecutor(4) as pool:
        list(pool.map(submit, range(jobs)))
        wait_for(
            lambda: sum(state(c) in ("Succeeded", "Failed") for c in api.list("carbonawarejobs")),
            timeout, until=lambda n: n == jobs, what=f"all {jobs} jobs have ended", interval=2,
        )  # fmt: skip
    return check_days(api, audit, clock, operator, jobs)


def check_days(api: Api, audit: AuditLog, clock: VirtualClock, operator: Any, jobs: int) -> Counter[str]:
    total: Counter[str] = Counter()
    cajs = {c["metadata"]["name"]: c for c in api.list("carbonawarejobs")}
    job_list = {j["metadata"]["name"]: j for j in api.list("jobs")}
    created = Counter(
        name_of(w) for w in audit.writes(resource="jobs", namespace=api.namespace) if w["verb"] == "create"
    )
    assert set(created.values()) == {1} and len(created) == jobs
    writes = writes_by_name(audit, api.namespace)
    for name, caj in cajs.items():
        assert state(caj) == "Succeeded", (name, caj["status"])
        assert "failed" not in job_list[name]["status"], name
        places: list[str | None] = []
        for kind, event in check_followed(writes[name], name, clock):
            total[kind] += 1
            if kind == "release":
                places.append(placed_in(event["responseObject"]))
        moves = sum(a != b for a, b in zip(places, places[1:], strict=False))
        total["move"] += moves
        progress = caj["status"]["progress"]
        assert progress["moves"] == moves, (name, places, progress)
        assert progress["interruptions"] <= caj["spec"]["interrupt"]["maxInterruptions"]
    assert total["release"] >= jobs + total["pause"]  # and each pause that was taken back before it was made
    assert operator.metric("loadshift_pauses_total") == total["pause"] > 0
    assert operator.metric("loadshift_resumes_total") == total["pause"]
    print(f"{jobs} jobs: " + ", ".join(f"{n} {kind}s" for kind, n in sorted(total.items())))
    return total
