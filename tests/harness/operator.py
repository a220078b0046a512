# SPDX-License-Identifier: Apache-2.0
"""The operator under test, and what must hold for every job whatever happened to it."""

from __future__ import annotations

import datetime as dt
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import free_port
from harness.api import Api
from harness.audit import AuditLog, Event
from harness.grid import VirtualClock, condition, parse_time
from harness.process import Program, ProcessRunner

LABEL_JOB = "loadshift.io/carbonawarejob"
# For takeovers. Everywhere else the usual times hold: on a busy machine a write may well take two seconds.
QUICK_LEASE = ("--lease-duration", "3s", "--lease-renew-deadline", "2s", "--lease-retry-period", "500ms")


@dataclass
class Operator:
    """A running operator and where to ask it."""

    program: Program
    probes: str
    metrics_url: str

    def kill(self) -> None:
        self.program.kill()

    def start(self) -> None:
        """Start it again after kill()."""
        self.program.start()
        self.program.wait_ready()

    def not_ready(self) -> str | None:
        """What /readyz waits for; None when it is ready."""
        try:
            with urllib.request.urlopen(f"{self.probes}/readyz", timeout=5):
                return None
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all series of that name with these labels."""
        with urllib.request.urlopen(self.metrics_url, timeout=5) as answer:
            text = answer.read().decode()
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        return sum(
            float(value)
            for series, value in re.findall(rf"^{name}(\{{.*\}})? (\S+)$", text, re.MULTILINE)
            if all(pair in series for pair in wanted)
        )


def start_operator(
    programs: ProcessRunner,
    kubeconfig: Path | str,
    namespace: str,
    clock: VirtualClock,
    *flags: str,
    wait: bool = True,
    label: str = "operator",
) -> Operator:
    """Starts one on virtual time, with GridRegions that the test writes itself.

    wait=False does not wait until it is ready. With a fixed --identity a killed one takes its own Lease up again at
    once, as a pod that is restarted in place does not: the tests that kill it often save seconds that way.
    """
    metrics, probes = free_port(), free_port()
    program = programs.start(
        "operator",
        "--kubeconfig", str(kubeconfig),
        "--namespace", namespace,
        "--grid-disabled",
        "--default-region", "london",
        "--max-forecast-age", "7d",
        "--metrics-port", str(metrics),
        "--probes-port", str(probes),
        "--qps", "500", "--burst", "1000",
        *clock.flags(),
        *flags,
        ready=f"http://127.0.0.1:{probes}/{'readyz' if wait else 'healthz'}",
        label=label,
    )  # fmt: skip
    return Operator(program, f"http://127.0.0.1:{probes}", f"http://127.0.0.1:{metrics}/metrics")


def finished(caj: dict[str, Any]) -> bool:
    return any(condition(caj, kind).get("status") == "True" for kind in ("Complete", "Failed"))


def is_release(event: Event) -> bool:
    """The patch that unsuspends a Job: a JSON patch, or a merge patch in observe mode."""
    request = event.get("requestObject")
    if event["objectRef"].get("resource") != "jobs" or event["verb"] != "patch" or not request:
        return False
    if isinstance(request, list):
        return any(op.get("path") == "/spec/suspend" and op.get("value") is False for op in request)
    return request.get("spec", {}).get("suspend") is False


def name_of(event: Event) -> str:
    """Of the object that was written."""
    response = event.get("responseObject") or {}
    return response.get("metadata", {}).get("name") or event["objectRef"].get("name", "")


def received(event: Event) -> float:
    return dt.datetime.fromisoformat(event["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()


def creations(audit: AuditLog, namespace: str, name: str) -> list[Event]:
    """The successful creations of that Job."""
    writes = audit.writes(resource="jobs", namespace=namespace)
    return [w for w in writes if w["verb"] == "create" and name_of(w) == name]


def releases(audit: AuditLog, namespace: str) -> list[Event]:
    """The successful release patches in a namespace, in the order in which they were made."""
    return [w for w in audit.writes(resource="jobs", namespace=namespace) if is_release(w)]


def check_released_once(audit: AuditLog, namespace: str, name: str, clock: VirtualClock, late: float = 10.0) -> None:
    """The Job was created once and released once; before that, its UID and the release were written down; and that was
    neither before the planned start nor more than `late` real seconds after the latest start."""
    status: dict[str, Any] = {}
    release: Event | None = None
    assert len(creations(audit, namespace, name)) == 1
    for write in audit.writes(namespace=namespace):
        if name_of(write) != name:
            continue
        reference = write["objectRef"]
        if (reference.get("resource"), reference.get("subresource")) == ("carbonawarejobs", "status"):
            status = write["responseObject"].get("status", {})
        if not is_release(write):
            continue
        assert release is None, f"{name} was released twice: {release['stageTimestamp']}, {write['stageTimestamp']}"
        release = write
        assert status.get("releasedTime"), f"{name} was released before that was written down: {status}"
        assert status["jobRef"]["uid"] == write["responseObject"]["metadata"]["uid"]
        check_times(status, received(write), clock, late)
    assert release is not None, f"{name} was never released"


def check_times(status: dict[str, Any], released_real: float, clock: VirtualClock, late: float) -> None:
    if segments := status.get("plan", {}).get("segments"):
        planned = parse_time(segments[0]["startTime"])
        assert parse_time(status["releasedTime"]) >= planned, status
        assert released_real >= clock.real(planned) - 0.1, status
    if latest := status.get("latestStartTime"):
        assert released_real <= clock.real(parse_time(latest)) + late, status


def check_ran_once(api: Api, audit: AuditLog, name: str, clock: VirtualClock, late: float = 10.0) -> None:
    """Released as it should be, ran to its end exactly once, and the object says so with figures."""
    caj, job = api.get("carbonawarejobs", name), api.get("jobs", name)
    check_released_once(audit, api.namespace, name, clock, late)
    assert condition(caj, "Complete").get("status") == "True", caj["status"]
    assert caj["status"]["jobRef"]["uid"] == job["metadata"]["uid"]
    assert job["status"]["succeeded"] == 1
    assert len(api.list("pods", labelSelector=f"{LABEL_JOB}={name}")) == 1
    assert sum(run["pods"] for run in caj["status"]["runs"]) == 1
    assert caj["status"]["actual"]["energyMilliWattHours"] > 0
