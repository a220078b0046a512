# SPDX-License-Identifier: Apache-2.0
"""Observe mode: jobs run at once and unmodified, and tell what acting would have done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.api import Api
from harness.audit import AuditLog
from harness.grid import VirtualClock, carbon_aware_job, condition, fresh_clock, parse_time, rfc3339, set_region, state
from harness.operator import Operator, creations, name_of, releases, start_operator
from harness.process import ProcessRunner

HARD = {"maxCarbonGramsPerKWh": {"value": 1, "enforcement": "Hard"}}


@pytest.fixture
def clock() -> VirtualClock:
    return fresh_clock()


@pytest.fixture
def operator(operator_kubeconfig: Path, programs: ProcessRunner, clock: VirtualClock) -> Callable[..., Operator]:
    """Starts an operator on the shared cluster."""
    return lambda *flags: start_operator(programs, operator_kubeconfig, "loadshift-system", clock, *flags)


def set_mode(api: Api, mode: str | None) -> None:
    api.patch("namespaces", api.namespace, {"metadata": {"labels": {"loadshift.io/mode": mode}}})


def grid(api: Api, clock: VirtualClock) -> None:
    """Clean after 40 slots: five real minutes."""
    # Kubernetes' stamps are whole seconds, minutes here: a run may seem to have begun in the slot before.
    past: dict[str, Any] = {"recent": [300, 300]}
    set_region(api, "london", clock.now(), [300] * 40 + [20] * 8 + [300] * 8, [200000] * 56, **past)
    for region in ("north-scotland", "south-wales"):  # nobody confines the pods: they may run on any node
        set_region(api, region, clock.now(), [200] * 56, [200000] * 56, **past)


def flexible(name: str, **spec: Any) -> dict[str, Any]:
    window = {"expectedDurationSeconds": 1800, "maxDelaySeconds": 48 * 1800, "powerWattsPerPod": 1000}
    return carbon_aware_job(name, **window, homeRegion="london", relocate={"regions": ["north-scotland"]}, **spec)


def check_unmodified(api: Api, name: str) -> None:
    """The Job's pods are as its user wrote them, but for the label that tells whose they are."""
    caj, pods = api.get("carbonawarejobs", name), api.get("jobs", name)["spec"]["template"]
    ours = [key for key in pods["metadata"].get("annotations", {}) if key.startswith("loadshift.io/")]
    assert ours == []
    assert "affinity" not in pods["spec"]
    wanted = caj["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["annotations"]
    assert pods["metadata"]["annotations"] == wanted


def check_what_if(caj: dict[str, Any]) -> None:
    """It started now; plan and sentence tell what acting would have done; the savings are what really was."""
    status = caj["status"]
    assert condition(caj, "Released")["reason"] == "ObserveMode"
    assert status["explanation"].startswith("observe mode: runs at once, unmodified; acting: ")
    assert status["estimatedStartTime"] == status["releasedTime"]
    assert status["baseline"]["region"] == "london"


def test_observe_mode_runs_at_once_unmodified(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    set_mode(api, "observe")
    grid(api, clock)
    operator()
    api.create(flexible("watched"))
    api.create(flexible("limited", limits=HARD))
    for name in ("watched", "limited"):
        caj = api.wait_condition("carbonawarejobs", name, "Complete")
        check_what_if(caj)
        check_unmodified(api, name)
        release = parse_time(caj["status"]["releasedTime"])
        assert release - parse_time(caj["status"]["baseline"]["startTime"]) < 10 * clock.factor
    status = api.get("carbonawarejobs", "watched")["status"]
    planned = status["plan"]["segments"][0]
    assert parse_time(planned["startTime"]) > parse_time(status["releasedTime"]) + 4 * 1800
    assert "that would save ~" in status["explanation"]
    assert "forecastError" not in status["savings"]
    saved = status["savings"]
    assert saved["time"]["carbonMilligrams"] + saved["place"]["carbonMilligrams"] == saved["total"]["carbonMilligrams"]
    assert "segments" not in api.get("carbonawarejobs", "limited")["status"].get("plan", {})
    for name in ("watched", "limited"):
        assert len(creations(audit, api.namespace, name)) == 1
    assert sorted(map(name_of, releases(audit, api.namespace))) == ["limited", "watched"]


@pytest.mark.threads
def test_a_change_of_the_label_lets_go_what_waits(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    grid(api, clock)
    operator()
    api.create(flexible("waits"))
    api.create(flexible("held", suspend=True))
    api.wait("carbonawarejobs", "waits", lambda c: state(c) == "Deferred", what="is deferred")
    api.wait("carbonawarejobs", "held", lambda c: state(c) == "Suspended", what="is suspended")
    set_mode(api, "observe")
    caj = api.wait_condition("carbonawarejobs", "waits", "Complete", timeout=10)
    check_what_if(caj)
    check_unmodified(api, "waits")
    assert state(api.get("carbonawarejobs", "held")) == "Suspended"
    set_mode(api, "act")
    api.create(flexible("next"))
    api.wait("carbonawarejobs", "next", lambda c: state(c) == "Deferred", what="is deferred")


def test_the_default_mode_and_its_exceptions(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    """A namespace's label goes before the operator's default; a label that nobody knows is told."""
    set_mode(api, "act")
    grid(api, clock)
    operator("--default-mode", "observe")
    api.create(flexible("acts"))
    api.wait("carbonawarejobs", "acts", lambda c: state(c) == "Deferred", what="is deferred")
    set_mode(api, "Act")
    caj = api.wait_condition("carbonawarejobs", "acts", "Complete", timeout=10)
    check_what_if(caj)
    accepted = condition(caj, "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("True", "UnknownMode")
    assert 'loadshift.io/mode is "Act": set it to act or observe' in accepted["message"]
    set_mode(api, None)
    api.create(flexible("observed"))
    check_what_if(api.wait_condition("carbonawarejobs", "observed", "Complete"))


def test_a_plan_on_paper_takes_no_power(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    """One that is only observed, and waits for its user's own earliest start, and one that acts want the same hour."""
    acting = Api(api.client, f"{api.namespace[:50]}-acts")
    api.create({"kind": "Namespace", "metadata": {"name": acting.namespace}})
    set_mode(api, "observe")
    first = clock.now() // 1800 * 1800
    region = "north-scotland"  # no other test's jobs live there
    limit = {"watts": 1000, "enforcement": "Hard"}
    set_region(api, region, clock.now(), [300] * 24 + [20] * 2 + [300] * 30, [200000] * 56, powerLimit=limit)
    try:
        operator()
        window = {"expectedDurationSeconds": 1800, "powerWattsPerPod": 1000, "homeRegion": region}
        later = {"earliestStartTime": rfc3339(first + 20 * 1800), "deadline": rfc3339(first + 40 * 1800)}
        api.create(carbon_aware_job("paper", **window, **later))
        caj = api.wait("carbonawarejobs", "paper", lambda c: state(c) == "Deferred", what="is deferred")
        assert 24 <= (parse_time(caj["status"]["plan"]["segments"][0]["startTime"]) - first) / 1800 < 24.5
        assert caj["status"]["estimatedStartTime"] == later["earliestStartTime"]
        acting.create(carbon_aware_job("real", **window, maxDelaySeconds=44 * 1800))
        caj = acting.wait("carbonawarejobs", "real", lambda c: state(c) == "Deferred", what="is deferred")
        assert 24 <= (parse_time(caj["status"]["plan"]["segments"][0]["startTime"]) - first) / 1800 < 24.5
    finally:
        api.delete("namespaces", acting.namespace)
