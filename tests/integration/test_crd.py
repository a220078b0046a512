# SPDX-License-Identifier: Apache-2.0
"""The CarbonAwareJob CRD on a real API server: what it refuses and how, and what kubectl shows of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import ClusterError, ControlPlane
from harness.api import Api, ApiError, Object
from harness.process import ROOT

SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
POD = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}


def caj(name: str = "x", **spec: Any) -> Object:
    template = {"spec": {"template": {"spec": copy.deepcopy(POD)}}}
    return {"kind": "CarbonAwareJob", "metadata": {"name": name}, "spec": {"jobTemplate": template, **spec}}


def template(**job_spec: Any) -> Object:
    return caj(jobTemplate={"spec": {"template": {"spec": POD}, **job_spec}})


def finish_by(**members: Any) -> Object:
    return caj(finishBy={"time": "08:00", "timeZone": "UTC", **members})


def limit(name: str, value: Any, **members: Any) -> Object:
    return caj(limits={name: {"value": value, **members}})


AT_6, AT_7 = "2027-03-01T06:00:00Z", "2027-03-01T07:00:00+01:00"
RFC_3339 = "must be an RFC 3339 time with offset such as 2026-03-01T06:00:00Z"
ONE_DEADLINE = "set only one of deadline, maxDelaySeconds and finishBy"
NO_CONTAINERS = "jobTemplate.spec must be a batch/v1 JobSpec: template.spec.containers is missing"
RESTART = "a Job needs jobTemplate.spec.template.spec.restartPolicy: Never or OnFailure"
REGION = "must be the name of a GridRegion such as north-scotland"
DECIMAL = 'must be a decimal in quotes such as "0.15"'
ZONE = "must be an IANA time zone such as Europe/London or UTC"

# What is refused: (object, the field that is named, the words that name the fix)
REFUSED: dict[str, tuple[Object, str, str]] = {
    "name of 53": (caj("n" * 53), "", "metadata.name must be at most 52 characters"),
    "no spec": ({"kind": "CarbonAwareJob", "metadata": {"name": "x"}}, "spec", "Required value"),
    "no template": (
        {"kind": "CarbonAwareJob", "metadata": {"name": "x"}, "spec": {}},
        "spec.jobTemplate",
        "Required value",
    ),
    "no job spec": (caj(jobTemplate={}), "spec.jobTemplate.spec", "Required value"),
    "empty job spec": (caj(jobTemplate={"spec": {}}), "spec.jobTemplate.spec", NO_CONTAINERS),
    "a pod instead": (caj(jobTemplate={"spec": POD}), "spec.jobTemplate.spec", NO_CONTAINERS),
    "no containers": (
        template(template={"spec": {"restartPolicy": "Never"}}),
        "spec.jobTemplate.spec",
        NO_CONTAINERS,
    ),
    "empty containers": (
        template(template={"spec": {**POD, "containers": []}}),
        "spec.jobTemplate.spec",
        NO_CONTAINERS,
    ),
    "containers of text": (
        template(template={"spec": {**POD, "containers": ["main"]}}),
        "spec.jobTemplate.spec.template.spec.containers[0]",
        "type object",
    ),
    "no restartPolicy": (
        template(template={"spec": {"containers": POD["containers"]}}),
        "spec.jobTemplate.spec",
        RESTART,
    ),
    "restartPolicy Always": (
        template(template={"spec": {**POD, "restartPolicy": "Always"}}),
        "spec.jobTemplate.spec",
        RESTART,
    ),
    "suspended template": (template(suspend=True), "spec.jobTemplate.spec", "must not be true: use spec.suspend"),
    "label that is long": (
        caj(jobTemplate={"metadata": {"labels": {"a": "x" * 64}}, "spec": {"template": {"spec": POD}}}),
        "spec.jobTemplate.metadata.labels.a",
        "may not be more than 63",
    ),
    "deadline and delay": (caj(deadline=AT_6, maxDelaySeconds=1), "spec", ONE_DEADLINE),
    "deadline and finishBy": (
        caj(deadline=AT_6, finishBy={"time": "08:00", "timeZone": "UTC"}),
        "spec",
        ONE_DEADLINE,
    ),
    "delay and finishBy": (
        caj(maxDelaySeconds=1, finishBy={"time": "08:00", "timeZone": "UTC"}),
        "spec",
        ONE_DEADLINE,
    ),
    "earliest at deadline": (
        caj(earliestStartTime=AT_7, deadline=AT_6),
        "spec",
        "earliestStartTime must be before deadline",
    ),
    "deadline in words": (caj(deadline="tomorrow"), "spec.deadline", RFC_3339),
    "deadline without offset": (caj(deadline="2027-03-01T06:00:00"), "spec.deadline", RFC_3339),
    "deadline of month 13": (caj(deadline="2027-13-01T06:00:00Z"), "spec.deadline", RFC_3339),
    "deadline as number": (caj(deadline=5), "spec.deadline", "type string"),
    "earliest in words": (caj(earliestStartTime="soon"), "spec.earliestStartTime", RFC_3339),
    "delay below 0": (caj(maxDelaySeconds=-1), "spec.maxDelaySeconds", "greater than or equal to 0"),
    "delay of 2 years": (caj(maxDelaySeconds=63072000), "spec.maxDelaySeconds", "less than or equal to 31536000"),
    "duration 0": (caj(expectedDurationSeconds=0), "spec.expectedDurationSeconds", "greater than or equal to 1"),
    "duration as text": (caj(expectedDurationSeconds="1h"), "spec.expectedDurationSeconds", "type integer"),
    "duration too long": (
        caj(expectedDurationSeconds=31536001),
        "spec.expectedDurationSeconds",
        "less than or equal to",
    ),
    "killed before its end": (
        caj(
            expectedDurationSeconds=61, jobTemplate={"spec": {"activeDeadlineSeconds": 60, "template": {"spec": POD}}}
        ),
        "spec",
        "raise activeDeadlineSeconds or lower expectedDurationSeconds",
    ),
    "margin below 0": (caj(safetyMarginSeconds=-1), "spec.safetyMarginSeconds", "greater than or equal to 0"),
    "finishBy without zone": (caj(finishBy={"time": "08:00"}), "spec.finishBy.timeZone", "Required value"),
    "finishBy without time": (caj(finishBy={"timeZone": "UTC"}), "spec.finishBy.time", "Required value"),
    "finishBy 24:00": (finish_by(time="24:00"), "spec.finishBy.time", "must be HH:MM from 00:00 to 23:59"),
    "finishBy zone out of the folder": (finish_by(timeZone="../etc/passwd"), "spec.finishBy.timeZone", ZONE),
    "finishBy on Mon": (finish_by(weekdays=["Mon"]), "spec.finishBy.weekdays[0]", 'supported values: "Monday"'),
    "finishBy on no day": (finish_by(weekdays=[]), "spec.finishBy.weekdays", "at least 1 items"),
    "finishBy Monday twice": (
        finish_by(weekdays=["Monday", "Monday"]),
        "spec.finishBy.weekdays[1]",
        "Duplicate value",
    ),
    "negative power": (caj(powerWattsPerPod=-5), "spec.powerWattsPerPod", "greater than or equal to 0"),
    "power of a town": (caj(powerWattsPerPod=10**7), "spec.powerWattsPerPod", "less than or equal to 1000000"),
    "home with a blank": (caj(homeRegion="North Scotland"), "spec.homeRegion", REGION),
    "relocate to nowhere": (caj(relocate={"regions": []}), "spec.relocate.regions", "at least 1 items"),
    "relocate without list": (caj(relocate={}), "spec.relocate.regions", "Required value"),
    "relocate twice": (
        caj(relocate={"regions": ["london", "london"]}),
        "spec.relocate.regions[1]",
        "Duplicate value",
    ),
    "relocate to 33": (
        caj(relocate={"regions": [f"r{i}" for i in range(33)]}),
        "spec.relocate.regions",
        "at most 32 items",
    ),
    "relocate upper case": (caj(relocate={"regions": ["LONDON"]}), "spec.relocate.regions[0]", REGION),
    "no pause at all": (caj(interrupt={"maxInterruptions": 0}), "spec.interrupt.maxInterruptions", "equal to 1"),
    "16 pauses": (caj(interrupt={"maxInterruptions": 16}), "spec.interrupt.maxInterruptions", "equal to 15"),
    "interrupt in words": (caj(interrupt={"restartWattHours": "2"}), "spec.interrupt.restartWattHours", "number"),
    "scale to nothing": (caj(scale={}), "spec.scale.maxParallelism", "Required value"),
    "scale to 65": (caj(scale={"maxParallelism": 65}), "spec.scale.maxParallelism", "equal to 64"),
    "scale upside down": (
        caj(scale={"minParallelism": 3, "maxParallelism": 2}),
        "spec.scale",
        "minParallelism must not be greater than maxParallelism; lower it or raise that",
    ),
    "speedup of one": (caj(scale={"maxParallelism": 2, "speedup": [1]}), "spec.scale", "must have maxParallelism entries"),
    "speedup that falls": (
        caj(scale={"maxParallelism": 3, "speedup": [1, 2, 1.5]}),
        "spec.scale.speedup",
        "speedup must rise from entry to entry",
    ),
    "speedup that stays": (
        caj(scale={"maxParallelism": 2, "speedup": [1, 1]}),
        "spec.scale.speedup",
        "speedup must rise from entry to entry",
    ),
    "limit without value": (
        caj(limits={"maxCarbonGramsPerKWh": {}}),
        "spec.limits.maxCarbonGramsPerKWh.value",
        "Required value",
    ),
    "carbon limit below 0": (
        limit("maxCarbonGramsPerKWh", -1),
        "spec.limits.maxCarbonGramsPerKWh.value",
        "greater than or equal to 0",
    ),
    "carbon limit as text": (
        limit("maxCarbonGramsPerKWh", "100g"),
        "spec.limits.maxCarbonGramsPerKWh.value",
        "type integer",
    ),
    "enforcement firm": (
        limit("maxCarbonGramsPerKWh", 1, enforcement="Firm"),
        "spec.limits.maxCarbonGramsPerKWh.enforcement",
        'supported values: "Soft", "Hard"',
    ),
    "price limit as number": (limit("maxPricePerKWh", 0.15), "spec.limits.maxPricePerKWh.value", "type string"),
    "price limit in pence": (limit("maxPricePerKWh", "15p"), "spec.limits.maxPricePerKWh.value", DECIMAL),
    "price limit of 7 places": (limit("maxPricePerKWh", "0.1234567"), "spec.limits.maxPricePerKWh.value", DECIMAL),
    "101 percent": (
        limit("minRenewablePercent", 101),
        "spec.limits.minRenewablePercent.value",
        "less than or equal to 100",
    ),
    "weights all 0": (
        caj(weights={"carbon": 0, "cost": 0, "delay": 0}),
        "spec.weights",
        "weights must not all be 0: set carbon",
    ),
    "weight below 0": (caj(weights={"carbon": -1}), "spec.weights.carbon", "greater than or equal to 0"),
    "urgency high": (caj(urgency="High"), "spec.urgency", 'supported values: "Normal", "Critical"'),
    "onNoData wait": (caj(onNoData="Wait"), "spec.onNoData", 'supported values: "RunNow", "RunAtLatestStart"'),
    "ttl below 0": (caj(ttlSecondsAfterFinished=-1), "spec.ttlSecondsAfterFinished", "greater than or equal to 0"),
}


def refusal(api: Api, obj: Object) -> tuple[int, str]:
    """Status and message with which the API server refuses the object."""
    try:
        api.create(obj)
    except ApiError as error:
        return error.status, str(error)
    api.delete("carbonawarejobs", obj["metadata"]["name"])
    return 201, "accepted"


def test_refuses_and_names_field_and_fix(api: Api) -> None:
    wrong = []
    for what, (obj, field, fix) in REFUSED.items():
        status, text = refusal(api, obj)
        if status != 422 or f"{field}: " not in text or fix not in text:
            wrong.append(f"{what}: {status} {text}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_takes_the_samples(cluster: ControlPlane, namespace: str, sample: Path) -> None:
    assert "created" in cluster.kubectl("apply", "--namespace", namespace, "-f", str(sample))
    # A second time, as GitOps does, and server-side.
    assert "unchanged" in cluster.kubectl("apply", "--namespace", namespace, "-f", str(sample))
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--namespace", namespace, "-f", str(sample))


def test_sample_templates_are_jobs(api: Api) -> None:
    """What the samples call a Job is one for the API server, too."""
    assert len(SAMPLES) >= 6
    for sample in SAMPLES:
        obj = yaml.safe_load(sample.read_text())
        job = {
            "kind": "Job",
            "metadata": obj["metadata"],
            "spec": {**obj["spec"]["jobTemplate"]["spec"], "suspend": True},
        }
        api.create(job)


def test_takes_what_is_odd_but_right(api: Api) -> None:
    """A past deadline must not break a GitOps re-sync; lengths and numbers right at their bounds."""
    for number, spec in enumerate(
        [
            {"deadline": "2020-01-01T00:00:00Z"},
            {"deadline": "2027-03-01T06:00:00.123456789+05:30", "earliestStartTime": "2027-02-28T06:00:00Z"},
            {"relocate": {"regions": [f"r{i}" for i in range(32)]}},
            {"limits": {"maxPricePerKWh": {"value": "-0.05"}, "minRenewablePercent": {"value": 0}}},
            {"weights": {"carbon": 0, "cost": 0, "delay": 0, "renewable": 1}},
            {"powerWattsPerPod": 0, "safetyMarginSeconds": 0, "maxDelaySeconds": 0, "ttlSecondsAfterFinished": 0},
            {"finishBy": {"time": "00:00", "timeZone": "America/Argentina/Buenos_Aires", "weekdays": ["Sunday"]}},
            {"expectedDurationSeconds": 31536000},
            {"interrupt": {}},
            {"interrupt": {"restartWattHours": 2.5, "maxInterruptions": 15, "minRunSeconds": 0}},
            {"scale": {"maxParallelism": 64, "speedup": [1 + n / 2 for n in range(64)]}},
            {"scale": {"maxParallelism": 1, "speedup": [1]}},
        ]
    ):
        api.create(caj(f"odd-{number}", **spec))
    api.create(caj("n" * 52))


def test_sets_defaults(api: Api) -> None:
    api.create(caj(limits={"maxCarbonGramsPerKWh": {"value": 100}}))
    spec = api.get("carbonawarejobs", "x")["spec"]
    assert spec["weights"] == {"carbon": 60, "cost": 30, "delay": 10, "renewable": 0}
    assert (spec["urgency"], spec["onNoData"]) == ("Normal", "RunNow")
    assert spec["limits"]["maxCarbonGramsPerKWh"]["enforcement"] == "Soft"
    # The same whether a weight is given at birth or later: the others keep their defaults.
    born = api.create(caj("born", weights={"carbon": 100}))
    changed = api.patch("carbonawarejobs", "x", {"spec": {"weights": {"carbon": 100}}})
    assert born["spec"]["weights"] == changed["spec"]["weights"] == {**spec["weights"], "carbon": 100}


def test_passes_the_template_on_losslessly(api: Api) -> None:
    pod = {**POD, "tolerations": [{"operator": "Exists"}], "aFieldOfTheFuture": {"deep": [1, {"x": None}]}}
    job = {
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod},
        "podFailurePolicy": {"rules": []},
        "new": 1.5,
    }
    api.create(caj(jobTemplate={"metadata": {"labels": {"c": "d"}}, "spec": job}))
    assert api.get("carbonawarejobs", "x")["spec"]["jobTemplate"] == {"metadata": {"labels": {"c": "d"}}, "spec": job}


def test_unknown_fields_are_pruned_and_told(cluster: ControlPlane, api: Api, workdir: Path) -> None:
    """Fields that no code obeys are not in the schema: kubectl refuses them, others see them gone."""
    unknown = {"work": {"unit": "images"}, "market": {}, "workloadRef": {}}
    assert not set(api.create(caj(**unknown))["spec"]) & set(unknown)
    manifest = workdir / "unknown.yaml"
    manifest.write_text(yaml.safe_dump({"apiVersion": "loadshift.io/v1alpha1", **caj("other", market={})}))
    with pytest.raises(ClusterError, match=r'unknown field "spec.market"'):
        cluster.kubectl("apply", "--namespace", api.namespace, "-f", str(manifest))


def condition(kind: str, status: str, reason: str) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": AT_6}


def ready(reason: str) -> Object:
    return condition("Ready", "False", reason)


STATUS: Object = {
    "deadlineTime": "2031-03-01T06:00:00Z",
    "estimatedStartTime": "2031-03-01T02:00:00Z",
    "releasedTime": "2026-01-01T00:00:00Z",
    "explanation": "waits for wind",
    "plan": {
        "segments": [{"cluster": "", "region": "yorkshire", "startTime": AT_6, "endTime": AT_7, "parallelism": 1}]
    },
    "region": "yorkshire",
    "saved": {"carbon": "~412 g", "cost": "~0.13 GBP"},
    "conditions": [ready("Deferred")],
}


def test_status_is_for_the_operator_only(api: Api) -> None:
    api.create({**caj(), "status": STATUS})
    assert "status" not in api.get("carbonawarejobs", "x")
    api.patch("carbonawarejobs", "x", {"status": STATUS, "spec": {"suspend": True}}, subresource="status")
    obj = api.get("carbonawarejobs", "x")
    assert obj["status"] == STATUS
    assert "suspend" not in obj["spec"]
    assert obj["metadata"]["generation"] == 1


def test_schema_has_all_that_the_operator_writes(api: Api) -> None:
    """Every member that caj_status_encode() can write is in this file; what the schema lacks would be pruned."""
    written = json.loads((ROOT / "tests/fuzz/corpus/fuzz_carbonawarejob/status.json").read_text())["status"]
    api.create(caj())
    assert api.patch("carbonawarejobs", "x", {"status": written}, subresource="status")["status"] == written


def test_a_status_is_replaced_by_an_object_without_spec(api: Api) -> None:
    """body_status() names the object and its version and gives the status, nothing else; the rest stays as it was."""
    created = api.create({**caj(), "metadata": {**caj()["metadata"], "annotations": {"a": "b"}}})
    named = {key: created["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
    body = {"apiVersion": created["apiVersion"], "kind": created["kind"], "metadata": named}
    api.patch("carbonawarejobs", "x", {"status": STATUS}, subresource="status")
    path = api.path("carbonawarejobs", "x", subresource="status")
    status, _ = api.client.request("PUT", path, {**body, "status": {}})
    assert status == 409, "the version is a precondition"
    named["resourceVersion"] = api.get("carbonawarejobs", "x")["metadata"]["resourceVersion"]
    api.request("PUT", path, {**body, "status": {"explanation": "e"}})
    found = api.get("carbonawarejobs", "x")
    assert found["status"] == {"explanation": "e"}
    assert found["spec"] == created["spec"]
    assert found["metadata"]["annotations"] == {"a": "b"}


def test_status_has_bounds(api: Api) -> None:
    api.create(caj())
    for status in (
        {"explanation": "x" * 1025},
        {"runs": [{}] * 17},
        {"options": [{}] * 6},
        {"deadlineTime": "soon"},
        {"plan": {"expected": {"cost": "12 GBP"}}},
        {"conditions": [{"type": "Ready", "status": "Perhaps"}]},
        {"conditions": [ready("A"), ready("B")]},
    ):
        with pytest.raises(ApiError) as error:
            api.patch("carbonawarejobs", "x", {"status": status}, subresource="status")
        assert error.value.status == 422


def cells(kubectl: Callable[..., str], *options: str) -> list[list[str]]:
    """A table of kubectl as lists of cells, cut where its header's columns begin."""
    header, *rows = kubectl("get", "caj", *options).splitlines()
    starts = [i for i, c in enumerate(header) if c != " " and (i == 0 or header[i - 3 : i] == "   ")]
    ends = [*starts[1:], None]
    return [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in [header, *rows]]


def test_columns(cluster: ControlPlane, api: Api) -> None:
    api.create(caj("planned"))
    api.create(caj("unseen"))
    api.patch("carbonawarejobs", "planned", {"status": STATUS}, subresource="status")

    def kubectl(*arguments: str) -> str:
        return cluster.kubectl(*arguments, "--namespace", api.namespace)

    header, planned, unseen = cells(kubectl)
    assert header == ["NAME", "STATE", "REGION", "STARTS", "DEADLINE", "CARBON SAVED", "COST SAVED", "AGE"]
    # Times that lie ahead stay legible: a column of type date would say <invalid>.
    assert planned[:-1] == [
        "planned",
        "Deferred",
        "yorkshire",
        "2031-03-01T02:00:00Z",
        "2031-03-01T06:00:00Z",
        "~412 g",
        "~0.13 GBP",
    ]
    assert planned[-1].endswith("s")
    assert unseen[:-1] == ["unseen", *[""] * 6]
    header, planned, _ = cells(kubectl, "--output=wide")
    assert header[-2:] == ["RELEASED", "EXPLANATION"]
    assert planned[-2:] == ["2026-01-01T00:00:00Z", "waits for wind"]
    # By category, and by every name.
    assert "carbonawarejob.loadshift.io/planned" in kubectl("get", "loadshift", "--output=name")
    assert kubectl("get", "carbonawarejob", "planned", "--output=name") == kubectl(
        "get", "caj/planned", "--output=name"
    )


def test_kubectl_wait(cluster: ControlPlane, api: Api) -> None:
    api.create(caj())
    wait = ["wait", "--for=condition=Complete", "caj/x", "--namespace", api.namespace]
    with pytest.raises(ClusterError, match="timed out"):
        cluster.kubectl(*wait, "--timeout=1s")
    done = {"conditions": [condition("Complete", "True", "JobComplete"), ready("Succeeded")]}
    api.patch("carbonawarejobs", "x", {"status": done}, subresource="status")
    assert "condition met" in cluster.kubectl(*wait, "--timeout=10s")


def undescribed(schema: Object, path: str = "") -> list[str]:
    """Paths of the properties that have no description."""
    found = []
    for name, child in schema.get("properties", {}).items():
        if "description" not in child:
            found.append(f"{path}.{name}")
        found += undescribed(child, f"{path}.{name}")
    items = schema.get("items")
    return found + (undescribed(items, path + "[]") if items else [])


def test_explain(cluster: ControlPlane) -> None:
    text = cluster.kubectl("explain", "caj.spec.limits")
    assert "With enforcement Soft the deadline wins" in " ".join(text.split())
    assert "maxCarbonGramsPerKWh" in text
    assert "ENUM: Soft Hard" in " ".join(
        cluster.kubectl("explain", "caj.spec.limits.maxPricePerKWh.enforcement").split()
    )
    [crd] = [c for c in cluster_crds(cluster) if c["spec"]["names"]["kind"] == "CarbonAwareJob"]
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert undescribed(schema) == [".apiVersion", ".kind", ".metadata"]


def cluster_crds(cluster: ControlPlane) -> list[Object]:
    return Api(cluster.client).list("customresourcedefinitions")
