# SPDX-License-Identifier: Apache-2.0
"""gridreplay and the operator together on one virtual clock, fetching all GB regions."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from cluster import ControlPlane, free_port
from harness.api import Api
from harness.audit import AuditLog
from harness.grid import SLOT, VirtualClock, fresh_clock, rfc3339
from harness.process import ROOT, Program, ProcessRunner
from harness.waiting import wait_for


class World:
    """gridreplay and the operator on the same virtual clock, on a control plane of their own."""

    def __init__(self, plane: ControlPlane, programs: ProcessRunner, factor: int) -> None:
        self.plane, self.programs = plane, programs
        self.api = Api(plane.client)
        self.clock: VirtualClock = fresh_clock(factor)
        self.start = rfc3339(self.clock.origin // SLOT * SLOT - 10 * 3600)  # of the recording
        self.port = free_port()
        self.audit = AuditLog(plane.audit_log)
        self.metrics_port = free_port()

    def replay(self, *flags: str) -> Program:
        return self.programs.start(
            "gridreplay", "--port", str(self.port), "--start", self.start, *self.clock.flags(),
            "--download-host", "127.0.0.1", *flags,
            "--carbon", ROOT / "demo" / "gb_regional_carbon_2023-02-09_3days.csv",
            ready=f"http://127.0.0.1:{self.port}/_replay/requests",
        )  # fmt: skip

    def operator(self, *flags: str) -> Program:
        probes = free_port()
        return self.programs.start(
            "operator", "--kubeconfig", str(self.plane.kubeconfig), "--namespace", "default",
            "--metrics-port", str(self.metrics_port), "--probes-port", str(probes),
            "--grid-server", f"http://127.0.0.1:{self.port}",
            "--lease-duration", "3s", "--lease-renew-deadline", "2s", "--lease-retry-period", "500ms",
            *self.clock.flags(), *flags,
            ready=f"http://127.0.0.1:{probes}/readyz",
        )  # fmt: skip

    def regions(self) -> dict[str, Any]:
        return {r["metadata"]["name"]: r.get("status", {}) for r in self.api.list("gridregions")}

    def wait_all(self, what: str, wanted: Callable[[str, dict[str, Any]], Any], timeout: float = 30) -> dict[str, Any]:
        def check() -> dict[str, Any]:
            found = self.regions()
            missing = {n: [*s, *s.get("conditions", [])] for n, s in found.items() if not wanted(n, s)}
            assert not missing, missing
            return found

        return wait_for(check, what=what, timeout=timeout)


def is_fresh(name: str, status: dict[str, Any]) -> bool:
    priced = name == "gb" or "priceP50" in status.get("forecast", {})
    return status_of(status, "Fresh") == "True" and "mix" in status and priced


def status_of(status: dict[str, Any], kind: str) -> str | None:
    return next((c["status"] for c in status.get("conditions", []) if c["type"] == kind), None)


def reason_of(status: dict[str, Any], kind: str) -> str | None:
    return next((c["reason"] for c in status.get("conditions", []) if c["type"] == kind), None)


def fetch(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
        return json.loads(reply.read())
