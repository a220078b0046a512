# SPDX-License-Identifier: Apache-2.0
"""The operator against a real API server: a job's life in each of its shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
from harness.operator import Operator, start_operator
from harness.process import ProcessRunner

CLEAN_LATER = [300, 300, 300, 20, 20, 300, 300, 300] * 6


@pytest.fixture
def clock() -> VirtualClock:
    return fresh_clock()


@pytest.fixture
def operator(operator_kubeconfig: Path, programs: ProcessRunner, clock: VirtualClock) -> Callable[..., Operator]:
    """Starts an operator on the shared cluster."""
    return lambda *flags: start_operator(programs, operator_kubeconfig, "loadshift-system", clock, *flags)


def regions(api: Api, clock: VirtualClock, **carbon: list[int | None]) -> None:
    for name, values in carbon.items():
        set_region(api, name.replace("_", "-"), clock.now(), values, [200000] * len(values))


@pytest.mark.threads
def test_deferred_until_clean_and_completed(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """A job with a deadline waits, suspended, for the clean slots and is then released, runs and completes."""
    regions(api, clock, london=CLEAN_LATER)
    operator()
    # Named, so that its pod runs there, too: the other nodes have no GridRegion.
    api.create(
        carbon_aware_job(
            "train", expectedDurationSeconds=1800, maxDelaySeconds=6 * 3600, powerWattsPerPod=1000, homeRegion="london"
        )
    )
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
    assert caj["status"]["savings"].get("total", {}).get("carbonMilligrams", 0) > 0, caj["status"]
    creations = [w for w in audit.writes(resource="jobs", namespace=api.namespace) if w["verb"] == "create"]
    assert len(creations) == 1


@pytest.mark.threads
def test_length_is_learnt_from_earlier_runs(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    """The first job of a template says nothing of its length and runs at once; the second is deferred as the first took."""
    regions(api, clock, london=CLEAN_LATER)
    running = operator("--identity", "learning")  # by which it has its lease back at once
    api.create(carbon_aware_job("first", maxDelaySeconds=6 * 3600, powerWattsPerPod=1000, homeRegion="london"))
    first = api.wait_condition("carbonawarejobs", "first", "Complete")
    assert not {"learnedDurationSeconds", "latestStartTime"} & set(first["status"])
    # Known from the objects in the cluster, also to an operator that starts anew. It starts with the later forecast: of
    # a job and a forecast that come to it at once, the job may be first.
    running.kill()
    regions(api, clock, london=CLEAN_LATER)
    running.start()
    api.create(carbon_aware_job("second", maxDelaySeconds=6 * 3600, powerWattsPerPod=1000, homeRegion="london"))
    second = api.wait("carbonawarejobs", "second", lambda c: state(c) == "Deferred", what="is deferred")
    learned = second["status"]["learnedDurationSeconds"]
    [run] = first["status"]["runs"]
    took = parse_time(run["endTime"]) - parse_time(run["startTime"])
    assert took <= learned < took + 60
    segment = second["status"]["plan"]["segments"][0]
    assert parse_time(segment["endTime"]) - parse_time(segment["startTime"]) == learned
    other = carbon_aware_job("other", maxDelaySeconds=6 * 3600, powerWattsPerPod=1000, homeRegion="london")
    other["spec"]["jobTemplate"] = job_template("2s")
    api.create(other)
    other = api.wait_condition("carbonawarejobs", "other", "Released")
    assert not {"learnedDurationSeconds", "latestStartTime"} & set(other["status"])


def test_baseline_of_hours_that_the_status_has_forgotten(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    """A status holds some hours of the past (here two, in use 48): a longer wait has its savings all the same."""
    truth = [300] * 6 + [20] * 4 + [300] * 60
    first = int(clock.now()) // 1800
    published: list[int] = []

    def publish() -> None:
        """Once a half hour."""
        at = clock.now()
        slot = int(at) // 1800 - first
        if slot not in published:
            set_region(api, "london", at, truth[slot:], [200000] * 60, recent=truth[max(slot - 4, 0) : slot])
            published.append(slot)

    def done(caj: dict[str, Any]) -> bool:
        publish()
        return condition(caj, "Complete").get("status") == "True"

    publish()
    operator()
    spec = {"expectedDurationSeconds": 1800, "maxDelaySeconds": 6 * 3600, "powerWattsPerPod": 1000}
    api.create(carbon_aware_job("patient", **spec, homeRegion="london"))
    caj = api.wait("carbonawarejobs", "patient", done, 120, what="is complete")
    [run] = caj["status"]["runs"]
    start, end = (int(parse_time(run[key])) for key in ("startTime", "endTime"))
    assert start - parse_time(caj["status"]["baseline"]["startTime"]) > 2 * 3600
    # Of a pod's times, whole seconds of four minutes here: it may seem to have begun before the clean hours.
    real = sum(truth[second // 1800 - first] for second in range(start, end)) / (end - start)
    saved = caj["status"]["savings"]["total"]["carbonMilligrams"]
    assert abs(saved - (300 - real) * run["energyMilliWattHours"] / 1000) <= 2, caj["status"]


def test_without_deadline_runs_at_once(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=CLEAN_LATER)
    operator()
    api.create(carbon_aware_job("now"))
    caj = api.wait_condition("carbonawarejobs", "now", "Complete")
    assert condition(caj, "Planned")["reason"] == "NoDeadline"


def test_relocates_to_the_cleaner_region(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    """A job that may move runs in the clean region; its pods are confined to the allowed ones."""
    regions(api, clock, london=[300] * 48, north_scotland=[10] * 48)
    operator()
    api.create(
        carbon_aware_job(
            "move",
            expectedDurationSeconds=1800,
            maxDelaySeconds=6 * 3600,
            powerWattsPerPod=500,
            homeRegion="london",
            relocate={"regions": ["north-scotland"]},
        )
    )
    caj = api.wait_condition("carbonawarejobs", "move", "Complete")
    assert [run["region"] for run in caj["status"]["runs"]] == ["north-scotland"]
    saving = caj["status"]["savings"]
    assert saving["place"]["carbonMilligrams"] > 0
    assert saving["time"]["carbonMilligrams"] + saving["place"]["carbonMilligrams"] == saving["total"]["carbonMilligrams"]
    affinity = api.get("jobs", "move")["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    [term] = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "loadshift.io/region", "operator": "In", "values": ["london", "north-scotland"]}
    ]


def test_existing_affinity_terms_are_all_narrowed(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    """Required terms are ORed, so the regions go into every one of them."""
    regions(api, clock, london=[300] * 48, north_scotland=[10] * 48)
    operator()
    template = job_template()
    template["spec"]["template"]["spec"]["affinity"] = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "disk", "operator": "Exists"}]},
                    {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["nowhere"]}]},
                ]
            }
        }
    }
    api.create(
        carbon_aware_job(
            "terms", template, expectedDurationSeconds=1800, maxDelaySeconds=3600, homeRegion="london",
            relocate={"regions": ["north-scotland"]},
        )
    )  # fmt: skip
    api.wait("jobs", "terms", lambda j: j["spec"]["suspend"] is False, what="is released")
    required = api.get("jobs", "terms")["spec"]["template"]["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    ours = {"key": "loadshift.io/region", "operator": "In", "values": ["london", "north-scotland"]}
    assert [ours in term["matchExpressions"] for term in required["nodeSelectorTerms"]] == [True, True]
    assert len(required["nodeSelectorTerms"]) == 2


def test_required_affinity_pins_to_its_region(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    """Like a nodeSelector: it is the job's home, and nothing is added to the pods."""
    regions(api, clock, london=[10] * 48, north_scotland=[300] * 48)
    operator()
    where = {"key": "loadshift.io/region", "operator": "In", "values": ["north-scotland"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [where]}]}
    template = job_template()
    template["spec"]["template"]["spec"]["affinity"] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}
    }
    window = {"expectedDurationSeconds": 1800, "maxDelaySeconds": 3600, "powerWattsPerPod": 100}
    api.create(carbon_aware_job("pinned", template, relocate={"regions": ["london"]}, **window))
    caj = api.wait_condition("carbonawarejobs", "pinned", "Complete")
    assert caj["status"]["home"] == caj["status"]["plan"]["segments"][0]["region"] == "north-scotland"
    assert [run["region"] for run in caj["status"]["runs"]] == ["north-scotland"]
    affinity = api.get("jobs", "pinned")["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    assert affinity == {"requiredDuringSchedulingIgnoredDuringExecution": required}


def test_critical_starts_at_once(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=CLEAN_LATER)
    operator()
    api.create(
        carbon_aware_job("urgent", expectedDurationSeconds=1800, maxDelaySeconds=6 * 3600, urgency="Critical")
    )
    caj = api.wait_condition("carbonawarejobs", "urgent", "Complete")
    assert condition(caj, "Planned")["reason"] == "Critical"


def test_run_now_annotation_ends_the_wait(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 20 + [5] * 4 + [300] * 20)
    operator()
    api.create(carbon_aware_job("impatient", expectedDurationSeconds=1800, maxDelaySeconds=20 * 3600))
    api.wait("carbonawarejobs", "impatient", lambda c: state(c) == "Deferred", what="is deferred")
    api.patch("carbonawarejobs", "impatient", {"metadata": {"annotations": {"loadshift.io/run-now": "true"}}})
    api.wait_condition("carbonawarejobs", "impatient", "Complete", timeout=10)


def test_soft_limit_is_overtaken_by_the_deadline(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    regions(api, clock, london=[300] * 48)
    operator()
    api.create(
        carbon_aware_job(
            "soft", expectedDurationSeconds=1800, maxDelaySeconds=3 * 3600,
            limits={"maxCarbonGramsPerKWh": {"value": 100, "enforcement": "Soft"}},
        )
    )  # fmt: skip
    caj = api.wait("carbonawarejobs", "soft", lambda c: state(c) == "Deferred", what="is deferred")
    latest = parse_time(caj["status"]["latestStartTime"])
    assert condition(caj, "Planned")["reason"] == "LatestStart"
    assert parse_time(caj["status"]["estimatedStartTime"]) == latest
    caj = api.wait_condition("carbonawarejobs", "soft", "Complete", timeout=60)
    assert latest <= parse_time(caj["status"]["releasedTime"]) <= latest + 10 * clock.factor


def test_hard_limit_is_never_broken(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 48)
    operator()
    api.create(
        carbon_aware_job(
            "hard", expectedDurationSeconds=1800, maxDelaySeconds=2 * 3600,
            limits={"maxCarbonGramsPerKWh": {"value": 100, "enforcement": "Hard"}},
        )
    )  # fmt: skip
    caj = api.wait("carbonawarejobs", "hard", lambda c: state(c) == "Pending", what="is pending")
    caj = api.wait_condition("carbonawarejobs", "hard", "Failed", timeout=60)
    assert condition(caj, "Failed")["reason"] == "HardLimitUnmet"
    assert "releasedTime" not in caj["status"]
    assert api.get("jobs", "hard")["spec"]["suspend"] is True


@pytest.mark.threads
def test_new_forecast_moves_the_start(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    """Only a gain beyond the forecast's error does; it is told in an event."""
    regions(api, clock, london=[300] * 10 + [50] * 2 + [300] * 40)
    operator()
    api.create(carbon_aware_job("replan", expectedDurationSeconds=1800, maxDelaySeconds=20 * 3600))
    first = api.wait("carbonawarejobs", "replan", lambda c: state(c) == "Deferred", what="is deferred")
    regions(api, clock, london=[300] * 10 + [50] * 2 + [300] * 18 + [45] * 2 + [300] * 20)
    second = api.get("carbonawarejobs", "replan")
    assert second["status"]["planID"] == first["status"]["planID"]
    regions(api, clock, london=[300] * 10 + [250] * 2 + [300] * 18 + [5] * 2 + [300] * 20)
    moved = api.wait(
        "carbonawarejobs", "replan", lambda c: c["status"]["planID"] != first["status"]["planID"], what="is re-planned"
    )
    assert moved["status"]["estimatedStartTime"] > first["status"]["estimatedStartTime"]
    api.wait_event(moved, "Replanned")


def test_power_limit_is_shared(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    """Two jobs that do not fit under a region's power together run one after the other."""
    set_region(
        api, "london", clock.now(), [300] * 4 + [20] * 12 + [300] * 30, [200000] * 46,
        powerLimit={"watts": 1500, "enforcement": "Hard"},
    )  # fmt: skip
    operator()
    for name in ("one", "two"):
        api.create(
            carbon_aware_job(
                name, expectedDurationSeconds=3600, maxDelaySeconds=8 * 3600, powerWattsPerPod=1000, homeRegion="london"
            )
        )
    plans = [
        api.wait("carbonawarejobs", name, lambda c: state(c) == "Deferred", what="is deferred")["status"]["plan"]
        for name in ("one", "two")
    ]
    a, b = sorted((parse_time(p["segments"][0]["startTime"]), parse_time(p["segments"][0]["endTime"])) for p in plans)
    assert a[1] <= b[0]


def test_user_suspends_and_resumes(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 48)
    operator()
    api.create(carbon_aware_job("held", suspend=True))
    api.wait("carbonawarejobs", "held", lambda c: state(c) == "Suspended", what="is suspended")
    assert api.get("jobs", "held")["spec"]["suspend"] is True
    api.patch("carbonawarejobs", "held", {"spec": {"suspend": False}})
    api.wait_condition("carbonawarejobs", "held", "Complete")


@pytest.mark.threads
def test_user_suspends_a_running_job(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 48)
    operator()
    api.create(carbon_aware_job("paused", job_template("4s"), powerWattsPerPod=100))
    api.wait("jobs", "paused", lambda j: j["status"].get("ready") == 1, what="runs")
    api.patch("carbonawarejobs", "paused", {"spec": {"suspend": True}})
    api.wait("jobs", "paused", lambda j: j["spec"]["suspend"] is True, what="is suspended")
    caj = api.wait("carbonawarejobs", "paused", lambda c: state(c) == "Suspended", what="is suspended")
    api.patch("carbonawarejobs", "paused", {"spec": {"suspend": False}})
    caj = api.wait_condition("carbonawarejobs", "paused", "Complete")
    # What ran before the suspension is counted too.
    assert sum(run["pods"] for run in caj["status"]["runs"]) == 2


def test_foreign_suspend_after_release_is_left_alone(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    regions(api, clock, london=[300] * 48)
    operator()
    api.create(carbon_aware_job("foreign", job_template("6s")))
    api.wait("jobs", "foreign", lambda j: j["status"].get("ready") == 1, what="runs")
    api.patch("jobs", "foreign", {"spec": {"suspend": True}})
    caj = api.wait(
        "carbonawarejobs", "foreign", lambda c: condition(c, "Ready").get("status") == "False", what="is not ready"
    )
    assert "SuspendedByOther" in str(caj["status"]["conditions"])
    assert api.get("jobs", "foreign")["spec"]["suspend"] is True
    api.patch("jobs", "foreign", {"spec": {"suspend": False}})
    api.wait_condition("carbonawarejobs", "foreign", "Complete")


def test_foreign_unsuspend_means_run_now(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 20 + [5] * 4 + [300] * 20)
    operator()
    api.create(carbon_aware_job("let-go", expectedDurationSeconds=1800, maxDelaySeconds=20 * 3600))
    api.wait("carbonawarejobs", "let-go", lambda c: state(c) == "Deferred", what="is deferred")
    api.patch("jobs", "let-go", {"spec": {"suspend": False}})
    caj = api.wait_condition("carbonawarejobs", "let-go", "Complete")
    assert condition(caj, "Released")["reason"] == "UnsuspendedByOther"


def test_edited_deadline_is_obeyed(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 30 + [5] * 4 + [300] * 20)
    operator()
    deadline = clock.now() + 24 * 3600
    api.create(carbon_aware_job("edited", expectedDurationSeconds=1800, deadline=rfc3339(deadline)))
    first = api.wait("carbonawarejobs", "edited", lambda c: state(c) == "Deferred", what="is deferred")
    nearer = clock.now() + 2 * 3600
    api.patch("carbonawarejobs", "edited", {"spec": {"deadline": rfc3339(nearer)}})
    caj = api.wait_condition("carbonawarejobs", "edited", "Complete")
    assert caj["status"]["releasedTime"] < first["status"]["estimatedStartTime"]
    assert parse_time(caj["status"]["releasedTime"]) <= parse_time(caj["status"]["latestStartTime"]) + 10 * clock.factor


def test_past_deadline_runs_at_once(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    """GitOps applies old manifests again: a past deadline is a condition, not an error."""
    regions(api, clock, london=CLEAN_LATER)
    operator()
    api.create(carbon_aware_job("late", expectedDurationSeconds=1800, deadline="2020-01-01T00:00:00Z"))
    caj = api.wait_condition("carbonawarejobs", "late", "Complete")
    assert condition(caj, "DeadlineAtRisk")["status"] == "True"


def test_job_deleted_is_not_created_again(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    regions(api, clock, london=[300] * 20 + [5] * 4 + [300] * 20)
    operator()
    api.create(carbon_aware_job("lost", expectedDurationSeconds=1800, maxDelaySeconds=20 * 3600))
    api.wait("carbonawarejobs", "lost", lambda c: state(c) == "Deferred", what="is deferred")
    api.delete("jobs", "lost")
    caj = api.wait_condition("carbonawarejobs", "lost", "Failed")
    assert condition(caj, "Failed")["reason"] == "JobDeleted"
    assert api.find("jobs", "lost") is None
    assert len([w for w in audit.writes(resource="jobs", namespace=api.namespace) if w["verb"] == "create"]) == 1


def test_deleting_the_object_takes_the_job_along(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator]
) -> None:
    regions(api, clock, london=[300] * 20 + [5] * 4 + [300] * 20)
    operator()
    api.create(carbon_aware_job("gone", expectedDurationSeconds=1800, maxDelaySeconds=20 * 3600))
    api.wait("carbonawarejobs", "gone", lambda c: state(c) == "Deferred", what="is deferred")
    api.delete("carbonawarejobs", "gone")
    api.wait_gone("jobs", "gone")


def test_template_ttl_waits_for_the_record(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    """ttlSecondsAfterFinished: 0 deletes the Job only after its end and figures have been written down."""
    regions(api, clock, london=[300] * 48)
    operator()
    api.create(carbon_aware_job("ttl", job_template(ttlSecondsAfterFinished=0), powerWattsPerPod=100))
    caj = api.wait_condition("carbonawarejobs", "ttl", "Complete")
    assert caj["status"]["actual"]["energyMilliWattHours"] > 0
    api.wait_gone("jobs", "ttl")
    assert condition(api.get("carbonawarejobs", "ttl"), "Complete")["status"] == "True"


def test_own_ttl_deletes_the_object(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 48)
    operator()
    api.create(carbon_aware_job("brief", ttlSecondsAfterFinished=480))
    api.wait_condition("carbonawarejobs", "brief", "Complete")
    api.wait_gone("carbonawarejobs", "brief")


@pytest.mark.parametrize(
    ("name", "spec", "reason", "words"),
    [
        ("window", {"expectedDurationSeconds": 3600, "earliestStartTime": "2999-01-01T00:00:00Z",
                    "deadline": "2999-01-01T01:05:00Z"}, "ImpossibleWindow", "spec.earliestStartTime"),
        ("home", {"homeRegion": "atlantis"}, "UnknownRegion", "spec.homeRegion"),
        ("place", {"homeRegion": "london", "relocate": {"regions": ["atlantis"]}}, "UnknownRegion",
         "spec.relocate.regions"),
        ("zone", {"finishBy": {"time": "06:00", "timeZone": "Mars/Olympus"}, "expectedDurationSeconds": 60},
         "UnknownTimeZone", "spec.finishBy.timeZone"),
        ("kueue", {"jobTemplate": {**job_template(), "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "q"}}}},
         "ManagedByKueue", "kueue.x-k8s.io/queue-name"),
        ("template", {"jobTemplate": job_template(completionMode="Sideways")}, "InvalidTemplate", "completionMode"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_words(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], name: str, spec: dict[str, Any], reason: str,
    words: str,
) -> None:  # fmt: skip
    regions(api, clock, london=[300] * 48)
    operator()
    api.create(carbon_aware_job(name, **({"template": spec.pop("jobTemplate")} if "jobTemplate" in spec else {}), **spec))
    caj = api.wait("carbonawarejobs", name, lambda c: state(c) == "Rejected", timeout=10, what="is rejected")
    accepted = condition(caj, "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", reason)
    assert words in accepted["message"]
    assert api.find("jobs", name) is None


def test_foreign_job_of_the_same_name(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 48)
    foreign = {"kind": "Job", "metadata": {"name": "taken"}, "spec": {**job_template()["spec"], "suspend": True}}
    api.create(foreign)
    operator()
    api.create(carbon_aware_job("taken"))
    caj = api.wait("carbonawarejobs", "taken", lambda c: state(c) == "Rejected", what="is rejected")
    assert condition(caj, "Accepted")["reason"] == "JobNameTaken"
    assert api.get("jobs", "taken")["spec"]["suspend"] is True
    assert "ownerReferences" not in api.get("jobs", "taken")["metadata"]


def test_changed_template_is_told(api: Api, clock: VirtualClock, operator: Callable[..., Operator]) -> None:
    regions(api, clock, london=[300] * 20 + [5] * 4 + [300] * 20)
    operator()
    api.create(carbon_aware_job("changed", expectedDurationSeconds=1800, maxDelaySeconds=20 * 3600))
    api.wait("carbonawarejobs", "changed", lambda c: state(c) == "Deferred", what="is deferred")
    api.patch("carbonawarejobs", "changed", {"spec": {"jobTemplate": {"spec": {"backoffLimit": 3}}}})
    caj = api.wait(
        "carbonawarejobs", "changed", lambda c: "TemplateChanged" in str(c["status"]["conditions"]), what="tells"
    )
    assert condition(caj, "Accepted")["status"] == "True"
    assert api.get("jobs", "changed")["spec"]["backoffLimit"] == 0


def test_a_new_object_is_not_asked_for(
    api: Api, clock: VirtualClock, operator: Callable[..., Operator], audit: AuditLog
) -> None:
    """Its Job is made from what the watch brought, byte for byte what a read would have given."""
    regions(api, clock, london=[300] * 20 + [5] * 4 + [300] * 20)
    template = job_template()
    arguments = ["<a href='&'>", "caf\u00e9 \u2028 \U0001f331", "tab\tquote\"\\"]
    template["spec"]["template"]["spec"]["containers"][0]["args"] = arguments
    wanted = {"expectedDurationSeconds": 1800, "maxDelaySeconds": 20 * 3600}
    api.create(carbon_aware_job("older-than-the-leader", template, **wanted))
    operator()
    api.wait("carbonawarejobs", "older-than-the-leader", lambda c: state(c) == "Deferred", what="is deferred")
    # The operator serves a moment before it knows what is new.
    names = [f"new-{i}" for i in range(4)]
    for name in names:
        api.create(carbon_aware_job(name, template, **wanted))
        api.wait("carbonawarejobs", name, lambda c: state(c) == "Deferred", what="is deferred")
    last = names[-1]

    def reads(name: str) -> int:
        asked = audit.events(resource="carbonawarejobs", namespace=api.namespace, agent="loadshift/")
        return len([e for e in asked if e["verb"] == "get" and e["objectRef"].get("name") == name])

    assert reads("older-than-the-leader") > 0
    assert reads(last) == 0
    assert api.get("jobs", last)["spec"]["template"]["spec"]["containers"][0]["args"] == arguments
    # An edit of something else: the template is read and compared, and it is the one that the Job was made from.
    api.patch("carbonawarejobs", last, {"spec": {"expectedDurationSeconds": 3600}})
    caj = api.wait("carbonawarejobs", last, lambda c: c["status"]["observedGeneration"] == 2, what="sees the edit")
    assert reads(last) > 0
    assert condition(caj, "Accepted")["reason"] == "Accepted"
