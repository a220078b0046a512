# SPDX-License-Identifier: Apache-2.0
"""The demo's final tables, from nothing but the API server's objects. Prints them for any list of CarbonAwareJobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]
NOT_AVAILABLE = "n/a"
SENTENCE = (
    "Three windy days, chosen to show the mechanism: a year of GB grid data gives such jobs about 20 to 26 % less "
    "carbon with perfect foresight, and less with real forecasts and tight capacity."
)


def clock_time(text: str | None) -> str:
    """Thu 07:24"""
    if not text:
        return "-"
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).strftime("%a %H:%M")


def grams(figures: Object | None) -> float | None:
    value = (figures or {}).get("carbonMilligrams")
    return None if value is None else value / 1000


def pence(figures: Object | None) -> float | None:
    value = (figures or {}).get("cost")
    return None if value is None else float(value) * 100


def shown(value: float | None, digits: int = 0) -> str:
    """A figure; a negative one with its sign, an unknown one as such and never as 0."""
    if value is None:
        return NOT_AVAILABLE
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def state(job: Object) -> str:
    conditions = job.get("status", {}).get("conditions", [])
    return next((c["reason"] for c in conditions if c["type"] == "Ready"), "-")


def layout(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Columns as wide as they have to be; the first `left` ones to the left, figures to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def padded(row: Sequence[str]) -> list[str]:
        return [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]

    return ["  ".join(padded(row)).rstrip() for row in rows]


def started(status: Object) -> str | None:
    """Pods' times are whole seconds of a clock that runs fast: a run cannot have begun before its release."""
    runs = sorted(run["startTime"] for run in status.get("runs") or [])
    if len(runs) > 1:  # it was released more than once, and the last time is what releasedTime says
        return runs[0]
    return max(runs[0], status["releasedTime"]) if runs else None


def when_and_where(jobs: Iterable[Object], to_domain: Callable[[str], str]) -> list[str]:
    """to_domain: a Kubernetes time stamp in the demo's time."""
    rows = [("JOB", "STATE", "SUBMITTED", "PLANNED", "STARTED", "ENDED", "REGION", "BASELINE (RULE, REGION)", "WHY")]
    for job in jobs:
        status = job.get("status", {})
        segment = (status.get("plan", {}).get("segments") or [{}])[0]
        runs = status.get("runs") or []
        baseline = status.get("baseline", {})
        planned = next((c for c in status.get("conditions", []) if c["type"] == "Planned"), {})
        rows.append(
            (
                job["metadata"]["name"],
                state(job),
                clock_time(to_domain(job["metadata"]["creationTimestamp"])),
                clock_time(segment.get("startTime")),
                clock_time(started(status)),
                clock_time(max((r["endTime"] for r in runs), default=None)),
                ",".join(sorted({r["region"] for r in runs})) or "-",
                f"{baseline.get('rule', '-')}, {baseline.get('region', '-')}",
                planned.get("reason", "-"),
            )
        )
    return layout(rows, 9)


FIGURES = (
    # column, where in status, of what, digits
    ("PLANNED g", "plan.expected", grams, 1),
    ("REAL g", "actual", grams, 1),
    ("PLANNED p", "plan.expected", pence, 1),
    ("REAL p", "actual", pence, 1),
    ("TIME g", "savings.time", grams, 1),
    ("PLACE g", "savings.place", grams, 1),
    ("TOTAL g", "savings.total", grams, 1),
    ("TIME p", "savings.time", pence, 1),
    ("PLACE p", "savings.place", pence, 1),
    ("TOTAL p", "savings.total", pence, 1),
)


def status_of(job: Object, path: str) -> Any:
    value: Any = job.get("status", {})
    for name in path.split("."):
        value = value.get(name) or {}
    return value


def what_it_took(jobs: Sequence[Object]) -> list[str]:
    """Planned against realised, and savings against the baseline: by time, by place and in all."""
    rows = [("JOB", *(column for column, *_ in FIGURES))]
    sums: list[float | None] = [0.0] * len(FIGURES)
    for job in jobs:
        values = [read(status_of(job, path)) for _, path, read, _ in FIGURES]
        rows.append((job["metadata"]["name"], *(shown(v, f[3]) for v, f in zip(values, FIGURES, strict=True))))
        if job.get("status", {}).get("actual"):
            sums = [None if s is None or v is None else s + v for s, v in zip(sums, values, strict=True)]
    rows.append(("all that ran", *(shown(v, f[3]) for v, f in zip(sums, FIGURES, strict=True))))
    return layout(rows, 1)


def saved_share(jobs: Sequence[Object]) -> str:
    """What the demo's own jobs saved, in one sentence."""
    ran = [j for j in jobs if j.get("status", {}).get("actual")]
    real = [grams(j["status"]["actual"]) for j in ran]
    saved = [grams(status_of(j, "savings.total")) for j in ran]
    if not ran or None in real or None in saved:
        return "Savings: not available."
    spent, less = sum(g for g in real if g is not None), sum(g for g in saved if g is not None)
    share = 100 * less / (spent + less) if spent + less else 0.0
    return f"These jobs: {spent / 1000:.2f} kg instead of {(spent + less) / 1000:.2f} kg, {share:.0f} % less."


def tables(jobs: Sequence[Object], to_domain: Callable[[str], str]) -> str:
    """All that is printed at the end, but for kubectl's own view."""
    return "\n".join(
        [
            *when_and_where(jobs, to_domain),
            "",
            "Planned (by the forecast), real (by the provider's values for what ran), and saved against the baseline",
            "by running later (TIME), elsewhere (PLACE) and in all; negative = more than at once at home:",
            "",
            *what_it_took(jobs),
            "",
            saved_share(jobs),
            SENTENCE,
        ]
    )
