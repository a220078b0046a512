# SPDX-License-Identifier: Apache-2.0
"""What happens in the demo: which job is submitted when, what it has to show, and the tale of it while it happens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster import ClusterError
from demo_grid import Watch
from demo_table import clock_time, state
from demo_world import NAMESPACE, World, parse_time, rfc3339

Object = Mapping[str, Any]
POLL = 0.4  # seconds
QUIET = 12.0  # seconds without news before a line says that time passes
PATIENCE = 8 * 60.0  # seconds after which something must be wrong
POWER_LIMIT = ("east-midlands", 3000)
AT_ONCE = 40 * 60  # of domain time: ten seconds for control plane and scheduler


def happened(job: Object, kind: str, reason: str = "") -> bool:
    """Has the object that condition, True (and with that reason)?"""
    conditions = job.get("status", {}).get("conditions", [])
    return any(c["type"] == kind and c["status"] == "True" and reason in ("", c["reason"]) for c in conditions)


@dataclass
class Facts:
    """What is known of one job at the end."""

    job: Object
    submitted: float
    reasons: set[str]  # of its events

    @property
    def status(self) -> Object:
        return self.job["status"]

    @property
    def released(self) -> float:
        return parse_time(self.status["releasedTime"])

    @property
    def waited(self) -> float:
        return self.released - self.submitted

    def ran_in(self) -> set[str]:
        return {run["region"] for run in self.status.get("runs", [])}

    def ran(self) -> list[Object]:
        """The parts of its run."""
        return list(self.status.get("runs", []))

    def planned_because(self, reason: str) -> bool:
        return any(c["type"] == "Planned" and c["reason"] == reason for c in self.status["conditions"])


Check = Callable[[dict[str, Facts]], bool]


@dataclass(frozen=True)
class Act:
    """One job of demo/jobs, submitted at that domain time (not before), and what it must have shown at the end."""

    name: str
    at: str
    shows: str
    check: Check


def apart(all_of_them: dict[str, Facts]) -> bool:
    """The two genome batches never ran at the same time."""
    first, second = sorted((all_of_them[f"genome-batch-{i}"] for i in (1, 2)), key=lambda f: f.released)
    ends = max(parse_time(run["endTime"]) for run in first.status["runs"])
    return ends <= min(parse_time(run["startTime"]) for run in second.status["runs"])


ACTS = (
    Act(
        "train-ranker", "2023-02-09T07:10:00Z", "a deferred job confined to West Midlands and Yorkshire",
        lambda f: f["train-ranker"].ran_in() <= {"west-midlands", "yorkshire"} and f["train-ranker"].waited > 4 * 3600,
    ),
    Act(
        "nightly-etl", "2023-02-09T07:10:00Z", "a job that moves to the north of Scotland",
        lambda f: f["nightly-etl"].ran_in() == {"north-scotland"},
    ),
    Act(
        "search-index", "2023-02-09T07:10:00Z", "a job planned anew by a later forecast",
        lambda f: "Replanned" in f["search-index"].reasons,
    ),
    Act("genome-batch-1", "2023-02-09T07:10:00Z", "two jobs that cannot share a region's power limit", apart),
    Act("genome-batch-2", "2023-02-09T07:10:00Z", "the second of them", apart),
    Act(
        "month-end-report", "2023-02-09T07:10:00Z", "a soft limit, overtaken by the latest start",
        lambda f: f["month-end-report"].planned_because("LatestStart")
        and abs(f["month-end-report"].released - parse_time(f["month-end-report"].status["latestStartTime"])) < 2400,
    ),
    Act(
        "catalogue-refresh", "2023-02-09T07:10:00Z", "a job that pauses while electricity is dear in the evening",
        lambda f: {"Paused", "Resumed"} <= f["catalogue-refresh"].reasons and len(f["catalogue-refresh"].ran()) == 2,
    ),
    Act(
        "render-trailer", "2023-02-09T07:10:00Z", "a hard limit that is never met",
        lambda f: happened(f["render-trailer"].job, "Failed", "HardLimitUnmet")
        and not f["render-trailer"].status.get("runs"),
    ),
    Act(
        "db-vacuum", "2023-02-09T07:24:00Z", "a gain smaller than the forecasts' error: no waiting for it",
        lambda f: f["db-vacuum"].planned_because("NoGain") and f["db-vacuum"].waited < AT_ONCE,
    ),
    Act(
        "fraud-hotfix", "2023-02-09T09:00:00Z", "a critical job: at once, whatever the grid does",
        lambda f: f["fraud-hotfix"].waited < AT_ONCE and f["fraud-hotfix"].planned_because("Critical"),
    ),
    Act(
        "thumbnails", "2023-02-09T10:00:00Z", "a job without deadline: an ordinary Job",
        lambda f: f["thumbnails"].waited < AT_ONCE and f["thumbnails"].planned_because("NoDeadline"),
    ),
)  # fmt: skip


@dataclass
class Story:
    """Submits the acts' jobs in time, tells what the API server's objects say, and judges at the end."""

    world: World
    tell: Callable[[str], None]
    acts: Sequence[Act] = ACTS
    submitted: set[str] = field(default_factory=set)
    reasons: dict[str, set[str]] = field(default_factory=dict)
    watch: Watch = field(init=False)
    _told: dict[str, int] = field(default_factory=dict)
    _placed: set[str] = field(default_factory=set)
    _last_line: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.watch = Watch(self.world, self.line, self.tell)

    def line(self, name: str, text: str) -> None:
        """With the time at which we heard of it: Kubernetes' own stamps are whole seconds, four minutes here."""
        self.tell(f"{clock_time(rfc3339(self.world.clock.now()))}  {name:<17} {text}")
        self._last_line = time.monotonic()

    def play(self) -> None:
        """To the end of the last job."""
        deadline = time.monotonic() + PATIENCE
        while not self.over():
            self.world.check_programs()
            if time.monotonic() > deadline:
                waiting = [j["metadata"]["name"] for j in self.world.jobs() if not finished(j)]
                raise ClusterError(f"not finished after {PATIENCE:.0f} s: {', '.join(waiting) or 'nothing submitted'}")
            self.submit_due()
            self.tell_news()
            self.watch.look()
            time.sleep(POLL)
        self.tell_news()

    def over(self) -> bool:
        if len(self.submitted) < len(self.acts):
            return False
        return all(finished(job) for job in self.world.jobs())

    def submit_due(self) -> None:
        due = [a for a in self.acts if a.name not in self.submitted and parse_time(a.at) <= self.world.clock.now()]
        if due:
            self.world.submit(act.name for act in due)
        for act in due:
            self.submitted.add(act.name)
            self.line(act.name, f"submitted: {act.shows}")

    def tell_news(self) -> None:
        """New events of our jobs, pods that run, and now and then that time passes."""
        for event in sorted(self.world.list(f"/api/v1/namespaces/{NAMESPACE}/events"), key=event_time):
            if event["involvedObject"]["kind"] != "CarbonAwareJob":
                continue
            count = event.get("count", 1)
            if self._told.get(event["metadata"]["uid"], 0) >= count:
                continue
            self._told[event["metadata"]["uid"]] = count
            name = event["involvedObject"]["name"]
            self.reasons.setdefault(name, set()).add(event["reason"])
            self.line(name, f"{event['reason']}: {event['message']}")
        for pod in self.world.list(f"/api/v1/namespaces/{NAMESPACE}/pods"):
            name = pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name", "")
            if pod["status"].get("phase") in ("Running", "Succeeded") and name not in self._placed:
                self._placed.add(name)
                self.line(name, f"runs on node {pod['spec']['nodeName']}")
        if time.monotonic() - self._last_line > QUIET:
            states = [state(job) for job in self.world.jobs()]
            parts = [f"{states.count(s)} {s.lower()}" for s in dict.fromkeys(states)]
            self.line("...", ", ".join(parts))

    def judge(self) -> list[str]:
        """What did not happen although it should have; empty = all is as told."""
        jobs = {job["metadata"]["name"]: job for job in self.world.jobs()}
        facts = {
            name: Facts(
                job,
                self.world.clock.domain(parse_time(job["metadata"]["creationTimestamp"])),
                self.reasons.get(name, set()),
            )
            for name, job in jobs.items()
        }
        wrong = self.watch.judge()
        for act in self.acts:
            try:
                fine = act.check(facts)
            except (KeyError, ValueError) as error:
                wrong.append(f"{act.name}: {act.shows}: cannot be seen ({error!r})")
                continue
            if not fine:
                wrong.append(f"{act.name}: {act.shows}: did not happen")
            elif not happened(jobs[act.name], "Complete") and act.name != "render-trailer":
                wrong.append(f"{act.name}: did not complete")
        return wrong

    def record(self) -> str:
        """Everything a reader needs to compute the decisions again or to draw them, as JSON."""
        world = self.world
        return json.dumps(
            {
                "clock": {"origin": rfc3339(world.clock.origin), "factor": world.clock.factor},
                "carbonAwareJobs": world.jobs(),
                "gridRegions": world.list("/apis/loadshift.io/v1alpha1/gridregions"),
                "nodes": world.list("/api/v1/nodes"),
                "jobs": world.list(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"),
                "pods": world.list(f"/api/v1/namespaces/{NAMESPACE}/pods"),
                "gridData": self.watch.record(),
                "events": world.list(f"/api/v1/namespaces/{NAMESPACE}/events"),
                "metrics": {name: world.metrics(name) for name in ("operator", "extender")},
            },
            indent=1,
        )


def finished(job: Object) -> bool:
    """Over, and what it took is known."""
    if happened(job, "Complete"):
        return "actual" in job["status"]
    return happened(job, "Failed")


def event_time(event: Object) -> float:
    return parse_time(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
