# SPDX-License-Identifier: Apache-2.0
"""Every provider of ours asks gridreplay once, without operator: all it asks is answered and understood, and what
different providers say of the same grid agrees. No Kubernetes needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.process import ProcessRunner, program_path
from harness.replay import SLOT, Replay, leave_border, parse, rfc3339, slot_of, started

PLACE = {"latitude": "51.5", "longitude": "-0.1"}
FILE = {"format": "json", "rows": "data", "time": "time", "value": "value", "scale": "1000"}
# Provider, what comes after the server's name, metric, zone, more arguments, half hours that must be known at least.
ASKED: list[tuple[str, str, str, str, dict[str, str], int]] = [
    ("carbonintensity-gb", "", "carbon", "13", {}, 97),
    ("octopus-agile", "/v1", "price", "C", {}, 20),
    ("elexon", "/bmrs/api/v1", "wholesale", "GB", {}, 20),
    ("elexon", "/bmrs/api/v1", "system-price", "GB", {}, 1),
    ("elexon", "/bmrs/api/v1", "demand", "GB", {}, 20),
    ("elexon", "/bmrs/api/v1", "wind", "GB", {}, 100),
    ("elexon", "/bmrs/api/v1", "margin", "GB", {}, 90),
    ("elexon", "/bmrs/api/v1", "loss-of-load", "GB", {}, 90),
    ("elexon", "/bmrs/api/v1", "frequency", "GB", {}, 1),
    ("fuel-mix", "/bmrs/api/v1", "carbon", "GB", {}, 20),
    ("neso", "", "carbon", "13", {}, 110),
    ("neso", "", "carbon", "GB", {}, 110),
    ("neso", "", "wind", "GB", {}, 110),
    ("neso", "", "solar", "GB", {}, 110),
    ("neso", "", "demand", "GB", {}, 20),
    ("neso", "", "flex-price", "GB", {}, 10),
    ("neso", "", "response-price", "GB", {}, 10),
    ("pv-live", "/pvlive/api/v4", "solar", "GB", {}, 20),
    ("electricity-maps", "/v3", "carbon", "DE", {}, 90),
    ("watttime", "", "carbon", "UK", {}, 90),
    ("carbon-aware-sdk", "", "carbon", "uksouth", {}, 45),
    ("entsoe", "/api", "wholesale", "BE", {}, 40),
    ("entsoe", "/api", "carbon", "FR", {}, 18),
    ("energy-charts", "", "wholesale", "DE-LU", {}, 40),
    ("eia", "/v2", "carbon", "CISO", {}, 18),
    ("eia", "/v2", "demand", "CISO", {}, 18),
    ("open-meteo", "/v1", "temperature", "here", PLACE, 100),
    ("met-office", "/sitespecific/v0", "temperature", "here", PLACE, 90),
    ("generic", "", "carbon", "here", {**FILE, "url": "{server}/files/carbon.json?from={from}&to={to}"}, 110),
    ("prometheus", "", "carbon", "here", {"query": "avg(grid_carbon)", "scale": "1000"}, 20),
]


@pytest.fixture
def replay(programs: ProcessRunner) -> Callable[..., Replay]:
    leave_border()
    return lambda *arguments: Replay(programs, *arguments)


def ask(
    programs: ProcessRunner, r: Replay, provider: str, path: str, metric: str, zone: str, more: dict[str, str]
) -> Any:
    arguments = {"provider": provider, "metric": metric, "zone": zone, "base": r.base + path, "now": rfc3339(r.now()),
                 "user": "user", "secret": "a-key", "redirect": "localhost", **more}  # fmt: skip
    text = [f"{k}={v.replace('{server}', r.base)}" for k, v in arguments.items()]
    result = programs.call(str(program_path("probe/grid_probe")), *text)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def values(answers: Any, metric: str, zone: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for answer in answers:
        for series in answer["series"]:
            if (series["metric"], series["zone"]) == (metric, zone):
                found.update({time: value for time, value, _ in series["values"]})
    return found


@pytest.mark.parametrize(
    ("provider", "path", "metric", "zone", "more", "least"), ASKED, ids=[f"{a[0]}-{a[2]}-{a[3]}" for a in ASKED]
)
def test_understood(
    programs: ProcessRunner,
    replay: Callable[..., Replay],
    provider: str,
    path: str,
    metric: str,
    zone: str,
    more: dict[str, str],
    least: int,
) -> None:
    # More than a day ago: some ask for the day before, which at any hour of today must have been recorded.
    answers = ask(programs, replay(*started(26)), provider, path, metric, zone, more)
    assert answers and all(a["result"] == "ok" for a in answers), [(a["id"], a.get("error")) for a in answers]
    # Edges of steps and spans, and Elexon's dead leg; nothing else is amiss.
    assert {reason for a in answers for reason in a["dropped"]} <= {"step", "span", "dead"}
    assert all(s["gaps"] == 0 for a in answers for s in a["series"])
    assert len(values(answers, metric, zone)) >= least


def test_agree(programs: ProcessRunner, replay: Callable[..., Replay]) -> None:
    """Carbon computed from the mix, and the carbon of others, against what was recorded."""
    r = replay(*started(10))
    truth = r.get("/_replay/truth")
    start = parse(truth["start"])
    now = slot_of(r.now())

    def compare(found: dict[str, int], recorded: list[float], tolerance: float) -> None:
        ended = {t: v for t, v in found.items() if parse(t) < now}
        assert len(ended) >= 15
        for time, value in ended.items():
            assert abs(value / 1000 - recorded[int((parse(time) - start) / SLOT)]) <= tolerance, time

    compare(values(ask(programs, r, "fuel-mix", "/bmrs/api/v1", "carbon", "GB", {}), "carbon", "GB"),
            truth["national"], 2)  # fmt: skip
    compare(values(ask(programs, r, "neso", "", "carbon", "GB", {}), "carbon", "GB"), truth["national"], 0.01)
    london = truth["regions"][12]["carbon"]
    for provider in ("neso", "carbonintensity-gb"):
        compare(values(ask(programs, r, provider, "", "carbon", "13", {}), "carbon", "13"), london, 0)
