# SPDX-License-Identifier: Apache-2.0
"""Workloads that save their state, and what must hold for jobs that pause, move and scale."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from harness.api import Api, ApiError
from harness.audit import AuditLog, Event
from harness.grid import VirtualClock, condition, parse_time
from harness.operator import LABEL_JOB, is_release, name_of, received

PLACED = "loadshift.io/placed"
# At a border of plans hundreds may be due at once, on two cores; only the latest start has to be kept exactly.
CROWD = 3


class Workers:
    """Plays what runs in the pods of some jobs: work goes on from pod to pod, and the Job's pods complete when it is
    done (domain seconds of running; of a Job with several pods each does its share)."""

    def __init__(
        self, api: Api, clock: VirtualClock, work: dict[str, float], early: dict[str, float] | None = None
    ) -> None:
        self.api, self.clock, self.work = api, clock, work
        self.early = early or {}  # so much work, and one pod of that job is done
        self.done = dict.fromkeys(work, 0.0)
        self.most: dict[str, int] = dict.fromkeys(work, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Workers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        before = time.time()
        while not self._stop.wait(0.25):
            now = time.time()
            with contextlib.suppress(ApiError, OSError):
                self._work((now - before) * self.clock.factor)
            before = now

    def _work(self, passed: float) -> None:
        running: dict[str, list[Any]] = {}
        for pod in self.api.list("pods", labelSelector=LABEL_JOB):
            name = pod["metadata"]["labels"][LABEL_JOB]
            if name in self.work and pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]:
                running.setdefault(name, []).append(pod)
        for name, pods in running.items():
            self.most[name] = max(self.most[name], len(pods))
            self.done[name] += passed * len(pods) / self.most[name]
            if self.done[name] >= self.early.get(name, float("inf")):
                del self.early[name]
                self._complete(min(pods, key=lambda pod: pod["metadata"]["name"]))
            if self.done[name] < self.work[name]:
                continue
            for pod in pods:
                self._complete(pod)

    def _complete(self, pod: dict[str, Any]) -> None:
        ended = {"exitCode": 0, "finishedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        containers = [{**c, "state": {"terminated": ended}, "ready": False} for c in pod["status"].get("containerStatuses", [])]
        with contextlib.suppress(ApiError):
            self.api.patch(
                "pods",
                pod["metadata"]["name"],
                {"status": {"phase": "Succeeded", "containerStatuses": containers}},
                subresource="status",
            )


def placed_in(job: dict[str, Any]) -> str | None:
    """The region that the Job's affinity asks for."""
    return job["metadata"].get("annotations", {}).get(PLACED, "").split(" ")[0] or None


def kind_of(event: Event) -> str | None:
    """release, pause or scale: what a patch of a Job does."""
    request = event.get("requestObject")
    if event["objectRef"].get("resource") != "jobs" or event["verb"] != "patch" or not isinstance(request, list):
        return None
    if is_release(event):
        return "release"
    values = {op.get("path"): op.get("value") for op in request}
    if values.get("/spec/suspend") is True:
        return "pause"
    return "scale" if "/spec/parallelism" in values else None


def switches(audit: AuditLog, namespace: str, name: str | None = None) -> list[tuple[str, Event]]:
    """All of them, in order; of one job, or of all."""
    writes = [w for w in audit.writes(namespace=namespace) if name is None or name_of(w) == name]
    return [(kind, w) for w in writes if (kind := kind_of(w))]


def writes_by_name(audit: AuditLog, namespace: str) -> dict[str, list[Event]]:
    """All writes in a namespace, by the object's name."""
    found: dict[str, list[Event]] = {}
    for write in audit.writes(namespace=namespace):
        found.setdefault(name_of(write), []).append(write)
    return found


def check_followed(
    writes: list[Event], name: str, clock: VirtualClock, late: float = 10.0
) -> list[tuple[str, Event]]:
    """writes: about this job. Every release, pause, move and change of parallelism is what the status said before it, at the time that the plan
    in it has, give or take `late` real seconds; and the Job never runs twice."""
    status: dict[str, Any] = {}
    suspended, found = True, []
    for write in writes:
        reference = write["objectRef"]
        if (reference.get("resource"), reference.get("subresource")) == ("carbonawarejobs", "status"):
            status = write["responseObject"].get("status", {})
        kind = kind_of(write)
        if not kind:
            continue
        found.append((kind, write))
        at, job = clock.origin + (received(write) - clock.origin) * clock.factor, write["responseObject"]
        segments = status["plan"]["segments"]
        slack = late * clock.factor
        inside = [s for s in segments if parse_time(s["startTime"]) - 2 * 60 <= at < parse_time(s["endTime"]) + 60]
        if kind == "release":
            # A pause that was recorded and not made is taken back: the Job runs, and is only marked.
            assert suspended or condition({"status": status}, "Released")["reason"] == "PauseTakenBack", f"{name} runs twice"
            assert status["releasedTime"] > status.get("pausedTime", ""), status
            assert job["metadata"]["annotations"]["loadshift.io/released"] == status["releasedTime"]
            check_due(status, at, inside, slack)
            if placed_in(job):
                assert placed_in(job) == status.get("progress", {}).get("region", segments[0]["region"])
        elif kind == "pause":
            assert not suspended, f"{name} was paused twice"
            assert status["pausedTime"] > status["releasedTime"], status
            assert job["metadata"]["annotations"]["loadshift.io/paused"] == status["pausedTime"]
            ended = [s for s in segments if parse_time(s["endTime"]) <= at + 60]
            assert ended and at - parse_time(ended[-1]["endTime"]) <= CROWD * slack, (at, segments)
            assert len(ended) < len(segments), "there was nothing left to pause for"
        elif kind == "scale":
            assert not suspended
            assert job["spec"]["parallelism"] == status["progress"]["parallelism"]
        suspended = job["spec"]["suspend"]
    assert found, f"{name} was never released"
    return found


def check_due(status: dict[str, Any], at: float, inside: list[dict[str, Any]], slack: float) -> None:
    """In a segment, and near its start; or at the latest start, of what is left after a pause."""
    done = status.get("progress", {}).get("workSeconds", 0)
    latest = status.get("latestStartTime")
    last = parse_time(latest) + done if latest else at
    assert at <= last + slack, f"released {at - last} domain seconds after its latest start: {status}"
    assert inside or at >= last - 2 * 60, (at, status["plan"]["segments"])
    if inside:
        assert at - max(parse_time(s["startTime"]) for s in inside) <= CROWD * slack, (at, inside)
