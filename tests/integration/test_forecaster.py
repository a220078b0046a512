# SPDX-License-Identifier: Apache-2.0
"""The operator's own forecasts: recorded history in its database, gridreplay beside it, GridRegions on a real API server."""

from __future__ import annotations

import csv
import json
import lzma
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import ControlPlane, free_port
from harness.grid import SLOT, rfc3339
from harness.process import ProcessRunner
from harness.waiting import wait_for
from harness.world import World, is_fresh, reason_of, status_of

REGIONS = {"london": ("13", "C"), "north-scotland": ("1", "P")}
HISTORY = 60 * 48  # half hours: too few for the regressions, enough for two weeks ahead
AHEAD = 672


@pytest.fixture
def world(private_cluster: Callable[..., ControlPlane], programs: ProcessRunner) -> World:
    world = World(private_cluster(), programs, factor=120)  # a slot is 15 s
    for name, (carbon, price) in REGIONS.items():
        world.api.create(
            {
                "apiVersion": "loadshift.io/v1alpha1",
                "kind": "GridRegion",
                "metadata": {"name": name},
                "spec": {
                    "carbon": {"chain": [{"provider": "carbonintensity-gb", "zone": carbon}]},
                    "price": {"chain": [{"provider": "octopus-agile", "zone": price}]},
                },
            }
        )
    return world


def recorded(path: Path, column: str, n: int) -> list[str]:
    with lzma.open(path, "rt") as file:
        return [row[column] for row in csv.DictReader(file)][:n]


def remember(
    programs: ProcessRunner, database: str, end: float, values: list[str], *, provider: str, zone: str, metric: str,
    scale: str, kind: str,
) -> None:  # fmt: skip
    """Imports values as the half hours before `end`."""
    start = int(end) // SLOT * SLOT - len(values) * SLOT
    rows = [f"{rfc3339(start + i * SLOT)},{value}" for i, value in enumerate(values)]
    result = programs.call(
        "kubectl-carbon", "data", "import", "--db", database, "--shape", "custom", "--time", "time", "--value", "value",
        "--metric", metric, "--provider", provider, "--zone", zone, "--kind", kind, "--scale", scale, "-",
        stdin="\n".join(["time,value", *rows]) + "\n",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


def sources(status: dict[str, Any], metric: str) -> list[dict[str, Any]]:
    return [s for s in status.get("sources", []) if s["metric"] == metric]


def test_goes_on_behind_what_is_published(
    world: World, programs: ProcessRunner, workdir: Path, shared: Path
) -> None:
    """Two weeks ahead where there is history, as before where there is none, and as before without a database."""
    file = workdir / "history.db"
    database = f"sqlite://{file}"
    carbon = recorded(shared / "data" / "gb-carbon" / "gb_national_halfhourly_2022-11_2023-11.csv.xz", "actual_g_per_kwh", HISTORY)
    price = recorded(shared / "data" / "gb-agile" / "agile_C_london_2022-11_2023-11.csv.xz", "p_per_kwh_inc_vat", HISTORY)
    now = world.clock.now()
    remember(programs, database, now, carbon, provider="carbonintensity-gb", zone="13", metric="carbon", scale="1000",
             kind="estimated")  # fmt: skip
    remember(programs, database, now, price, provider="octopus-agile", zone="C", metric="price", scale="10000",
             kind="actual")  # fmt: skip
    remember(programs, database, now, carbon[-9 * 48 :], provider="carbonintensity-gb", zone="1", metric="carbon",
             scale="1000", kind="estimated")  # fmt: skip
    world.replay()
    port = free_port()
    operator = world.operator(
        "--db-url", database, "--read-api-enabled", "--read-api-proxied", "--read-api-address", "127.0.0.1",
        "--read-api-port", str(port),
    )  # fmt: skip

    def trained(name: str, status: dict[str, Any]) -> bool:
        wanted = "Trained" if name == "london" else "TooLittleHistory"
        return is_fresh(name, status) and reason_of(status, "OwnForecast") == wanted

    found = world.wait_all("is trained", trained, timeout=120)
    london, scotland = found["london"], found["north-scotland"]
    check_columns(london["forecast"], "carbon", published=90)
    check_columns(london["forecast"], "price", published=4)
    assert len(json.dumps(london)) < 64 * 1024
    for metric in ("carbon", "price"):
        first, own, *_ = sources(london, metric)
        assert first["use"] == "first source"
        assert (own["provider"], own["use"], own["kind"]) == ("loadshift-forecast", "forecast", "forecast")
        assert first["provider"] in own["note"] and own["issuedTime"]
    assert london["basis"]["resolution"] == "regional"
    assert len(scotland["forecast"]["carbonP50"]) <= 97 and "carbonP10" not in scotland["forecast"]
    assert all(s["provider"] != "loadshift-forecast" for s in scotland["sources"])
    message = next(c["message"] for c in scotland["conditions"] if c["type"] == "OwnForecast")
    assert "9 days of history of carbonintensity-gb 1, 14 are needed" in message

    where = ("--kubeconfig", world.plane.kubeconfig, "--server", f"http://127.0.0.1:{port}")
    shown = programs.call("kubectl-carbon", "forecast", "london", "--hours", "96", *where)
    assert shown.returncode == 0, shown.stderr
    # The recording has a few holes.
    assert re.search(r"own forecast: carbon: 14 days ahead, from (59|60) days of history", shown.stdout), shown.stdout
    assert "P10 - P90" in shown.stdout
    assert "14 are needed" in programs.call("kubectl-carbon", "forecast", "north-scotland", *where).stdout

    def scored() -> list[str]:
        result = programs.call("kubectl-carbon", "forecast", "score", "london", *where)
        assert result.returncode == 0, result.stderr
        return [line.split()[3] for line in result.stdout.splitlines()[1:] if "carbon" in line]

    # An hour or two of domain time later the first outturns are there.
    every = wait_for(scored, what="is scored", until=lambda names: len(names) >= 3, timeout=240)
    assert set(every) == {"carbonintensity-gb", "loadshift-forecast", "previous-day"}
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        kept = db.execute(
            "SELECT z.name, v.metric, v.quantile_permille, v.n_values FROM forecast_vintage v JOIN zone z ON z.id = v.zone_id "
            "JOIN source s ON s.id = v.source_id WHERE s.provider = 'loadshift-forecast' AND v.metric = 'carbon'"
        ).fetchall()
    assert {(row[0], row[2]) for row in kept} == {("london", 100), ("london", 500), ("london", 900)}
    assert all(row[3] == AHEAD for row in kept)

    # Without a database everything is as it was before there were forecasts of our own.
    operator.terminate()
    world.operator()
    plain = world.wait_all("has none of its own", lambda n, s: reason_of(s, "OwnForecast") == "NoDatabase", timeout=60)
    for status in plain.values():
        assert status_of(status, "Fresh") == "True"
        assert len(status["forecast"]["carbonP50"]) <= 97 and "carbonP10" not in status["forecast"]
        assert all(s["provider"] != "loadshift-forecast" for s in status["sources"])


def check_columns(forecast: dict[str, Any], metric: str, *, published: int) -> None:
    """p10 <= p50 <= p90 behind what is published, which has no gap before it."""
    low, middle, high = (forecast[f"{metric}P{q}"] for q in (10, 50, 90))
    assert len(low) == len(middle) == len(high) == AHEAD
    # Each is forecast once an hour: of one made before the last border, the last half hours are not there yet.
    assert None not in middle[: AHEAD - 3]
    own = [i for i in range(AHEAD) if low[i] is not None and low[i] < high[i]]
    assert len(own) > AHEAD - 100 and min(own) >= published
    assert all(low[i] <= middle[i] <= high[i] for i in own)
    known = [v for v in middle[min(own) :] if v is not None]
    assert max(known) - min(known) > 10_000
