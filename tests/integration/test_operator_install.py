# SPDX-License-Identifier: Apache-2.0
"""Installed in the wrong order, and uninstalled: no job is lost (docs/uninstall.md)."""

from __future__ import annotations

from collections.abc import Callable

from cluster import ControlPlane
from conftest import install_crds
from harness.api import Api
from harness.audit import AuditLog
from harness.grid import carbon_aware_job, condition, fresh_clock, job_template, set_region, state
from harness.operator import LABEL_JOB, check_ran_once, start_operator
from harness.process import ROOT, ProcessRunner
from harness.waiting import wait_for

CRDS = ("carbonawarejobs.loadshift.io", "gridregions.loadshift.io")


def test_crd_missing_at_start_and_uninstall(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner
) -> None:
    plane, clock = private_cluster(crds=False), fresh_clock()
    plane.add_nodes(1, {"loadshift.io/region": "london"})
    api, audit = Api(plane.client), AuditLog(plane.audit_log)
    [jobs_crd] = [path for path in (ROOT / "crds").glob("*.yaml") if "carbonawarejobs" in path.name]
    plane.kubectl("apply", "--server-side", "-f", str(jobs_crd))

    # One of the two kinds is missing: the operator says so, does nothing, and begins once it is there.
    operator = start_operator(programs, plane.kubeconfig, "default", clock, wait=False)
    words = "GridRegions have not been listed yet (are the CRDs installed?)"
    wait_for(lambda: words in str(operator.not_ready()), what="the operator says what it waits for")
    api.create(carbon_aware_job("early", powerWattsPerPod=1000))
    install_crds(plane)
    set_region(api, "london", clock.now(), [300] * 90 + [5] * 4, [200000] * 94)
    wait_for(lambda: operator.not_ready() is None, 40, what="the operator is ready")
    api.wait_condition("carbonawarejobs", "early", "Complete", timeout=40)
    check_ran_once(api, audit, "early", clock)

    # The documented way out. A Job that runs goes on, one that waits is released, and what has ended stays.
    api.create(carbon_aware_job("running", job_template("90s")))
    window = {"expectedDurationSeconds": 1800, "maxDelaySeconds": 90 * 1800}
    api.create(carbon_aware_job("waiting", job_template("90s"), **window))
    api.wait("carbonawarejobs", "waiting", lambda c: state(c) == "Deferred", what="is deferred")
    for name, line in documented_steps():
        plane.kubectl(*line.split()[1:])
        if name == "release":
            for job in ("running", "waiting"):
                api.wait("jobs", job, lambda j: j["status"].get("ready") == 1, what="runs")
            operator.program.terminate()
    jobs = {job["metadata"]["name"]: job for job in api.list("jobs")}
    assert set(jobs) == {"early", "running", "waiting"}
    for name in ("running", "waiting"):
        assert "ownerReferences" not in jobs[name]["metadata"]
        assert jobs[name]["spec"]["suspend"] is False
    wait_for(lambda: not any(api.find("customresourcedefinitions", crd) for crd in CRDS), what="the CRDs are gone")
    for name in ("running", "waiting"):
        job = api.get("jobs", name)
        assert job["metadata"]["uid"] == jobs[name]["metadata"]["uid"]
        assert job["status"]["ready"] == 1 and not condition(job, "Complete")
        assert len(api.list("pods", labelSelector=f"{LABEL_JOB}={name}")) == 1


def documented_steps() -> list[tuple[str, str]]:
    """The commands of docs/uninstall.md about jobs and kinds, in order, each with its step's name."""
    text = (ROOT / "docs" / "uninstall.md").read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("kubectl ")]
    steps = [("release", "annotate caj"), ("detach", "delete caj"), ("kinds", "delete crd")]
    found = [(name, line) for line in lines for name, start in steps if line.startswith(f"kubectl {start}")]
    assert [name for name, _ in found] == ["release", "detach", "kinds"]
    return found
