# SPDX-License-Identifier: Apache-2.0
"""The operator against a real API server: a job's life in each of its shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cluster import free_port
from harness.api import Api
from harness.audit import AuditLog
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
from harness.process import Program, ProcessRunner

CLEAN_LATER = [300, 300, 300, 20, 20, 300, 300, 300] * 6


@pytest.fixture
def clock() -> VirtualClock:
    return fresh_clock()


@pytest.fixture
def operator(
    cluster: Any, namespace: str, programs: ProcessRunner, clock: VirtualClock
) -> Callable[..., Program]:
    """Starts the operator on virtual time, with GridRegions that the test writes itself."""

    def start(*flags: str, kubeconfig: str | None = None) -> Program:
        port = free_port()
        return programs.start(
            "operator",
            "--kubeconfig", str(kubeconfig or cluster.kubeconfig),
            "--namespace", namespace,
            "--grid-disabled",
            "--default-region", "london",
            "--max-forecast-age", "7d",
            "--metrics-port", str(free_port()),
            "--probes-port", str(port),
            "--lease-duration", "3s", "--lease-renew-deadline", "2s", "--lease-retry-period", "500ms",
            "--qps", "500", "--burst", "1000",
            *clock.flags(),
            *flags,
            ready=f"http://127.0.0.1:{port}/readyz",
        )  # fmt: skip

    return start


def regions(api: Api, clock: VirtualClock, **carbon: list[int | None]) -> None:
    for name, values in carbon.items():
        set_region(api, name.replace("_", "-"), clock.now(), values, [200000] * len(values))


def test_deferred_until_clean_and_completed(
    api: Api, clock: VirtualClock, operator: Callable[..., Program], audit: AuditLog
) -> None:
    """A job with a deadline waits, suspended, for the clean slots and is then released, runs and completes."""
    regions(api, clock, london=CLEAN_LATER)
    operator()
    api.create(carbon_aware_job("train", expectedDurationSeconds=1800, maxDelaySeconds=6 * 3600, powerWattsPerPod=1000))
    caj = api.wait("carbonawarejobs", "train", lambda c: state(c) == "Deferred", what="is deferred")
    planned = parse_time(caj["status"]["plan"]["segments"][0]["startTime"])
    clean = int(clock.origin) // 1800 * 1800 + 3 * 1800
    assert clean <= planned <= clean + 3600 - 1800 + 600
    assert caj["status"]["home"] == "london"
    assert api.get("jobs", "train")["spec"]["suspend"] is True

    caj = api.wait_condition("carbonawarejobs", "train", "Complete")
    assert state(caj) == "Succeeded"
    released = parse_time(caj["status"]["releasedTime"])
    assert planned <= released <= planned + 10 * clock.factor
    assert caj["status"]["jobRef"]["uid"] == api.get("jobs", "train")["metadata"]["uid"]
    assert int(caj["status"]["savings"]["total"]["carbonMilligrams"]) > 0
    creations = [w for w in audit.writes(resource="jobs", namespace=api.namespace) if w["verb"] == "create"]
    assert len(creations) == 1


def test_without_deadline_runs_at_once(api: Api, clock: VirtualClock, operator: Callable[..., Program]) -> None:
    regions(api, clock, london=CLEAN_LATER)
    operator()
    api.create(carbon_aware_job("now"))
    caj = api.wait_condition("carbonawarejobs", "now", "Complete")
    assert condition(caj, "Planned")["reason"] == "NoDeadline"
