# SPDX-License-Identifier: Apache-2.0
"""GridRegions on a real API server: what the CRD refuses, and what the operator writes from gridreplay's answers."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import ClusterError, ControlPlane
from harness.grid import SLOT, VirtualClock, parse_time
from harness.process import ROOT, ProcessRunner
from harness.waiting import wait_for
from harness.world import World, fetch, is_fresh, reason_of, status_of

MANIFEST = ROOT / "manifests" / "gridregions-gb.yaml"
CARBON = {"chain": [{"provider": "carbonintensity-gb", "zone": "13"}]}
PRICE = {"chain": [{"provider": "octopus-agile", "zone": "C"}]}


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("a" * 64, {"carbon": CARBON}, "at most 63 characters"),
        ("x", {}, "spec.carbon: Required value"),
        ("x", {"carbon": {"chain": []}}, "spec.carbon.chain"),
        ("x", {"carbon": {"chain": [{"provider": "p"}]}}, "zone: Required value"),
        ("x", {"carbon": {"chain": CARBON["chain"] * 9}}, "must have at most 8 items"),
        ("x", {"carbon": {"chain": [{"provider": "Not A Name", "zone": "1"}]}}, "provider"),
        ("x", {"carbon": CARBON, "price": PRICE, "costBasis": "None"}, "remove price"),
        ("x", {"carbon": CARBON, "costBasis": "Free"}, "costBasis"),
        ("x", {"carbon": CARBON, "powerLimit": {"watts": 0}}, "watts"),
        ("x", {"carbon": CARBON, "powerLimit": {"enforcement": "Hard"}}, "watts: Required value"),
        ("x", {"carbon": CARBON, "group": "Not A Label"}, "group"),
        ("x", {"carbon": CARBON, "cloudRegions": ["a", "a"]}, "Duplicate value"),
        ("x", {"carbon": CARBON, "colour": "green"}, "unknown field"),
    ],
)
def test_refused(cluster: ControlPlane, name: str, spec: dict[str, Any], words: str) -> None:
    region = {"apiVersion": "loadshift.io/v1alpha1", "kind": "GridRegion", "metadata": {"name": name}, "spec": spec}
    with pytest.raises(ClusterError, match=words):
        cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(region))


def test_manifest(cluster: ControlPlane, shared: Path) -> None:
    """The 14 regions agree with the region table, are accepted, and no cloud region is claimed twice."""
    regions = {r["metadata"]["name"]: r["spec"] for r in yaml.safe_load_all(MANIFEST.read_text())}
    rows = [line.split(",") for line in (shared / "regions" / "gb_regions.csv").read_text().splitlines()[1:]]
    for row in rows:
        if row[1] != "dno":
            continue
        spec = regions.pop(row[2].lower().replace(" & ", "-and-").replace(" ", "-"))
        assert spec["carbon"]["chain"][0]["zone"] == row[0]
        assert spec["price"]["chain"][0]["zone"] == row[7]
        assert spec["group"] == "gb"
    assert list(regions) == ["gb"]
    clouds = [c for r in yaml.safe_load_all(MANIFEST.read_text()) for c in r["spec"].get("cloudRegions", [])]
    assert len(clouds) == len(set(clouds)) == 4
    assert "created" in cluster.kubectl("apply", "--dry-run=server", "-f", str(MANIFEST))
    assert "priceP50" in cluster.kubectl("explain", "gr.status.forecast")
    for sample in sorted((ROOT / "manifests" / "samples" / "regions").glob("*.yaml")):
        assert "created" in cluster.kubectl("apply", "--dry-run=server", "-f", str(sample))


@pytest.fixture
def plane(private_cluster: Callable[..., ControlPlane]) -> ControlPlane:
    made = private_cluster()
    made.kubectl("apply", "-f", str(MANIFEST))
    return made


def test_status_from_replay(plane: ControlPlane, programs: ProcessRunner) -> None:
    """Every region gets what gridreplay served; one write an issue and one a slot; the provider may go away."""
    world = World(plane, programs, factor=60)  # a slot is 30 s
    replay = world.replay()
    operator = world.operator()
    found = world.wait_all("is fresh and has stress", lambda n, s: is_fresh(n, s) and "stressPerMille" in s)
    truth = fetch(world.port, "/_replay/truth")
    start = parse_time(truth["start"])
    names = {r["shortname"].lower().replace(" & ", "-and-").replace(" ", "-"): r for r in truth["regions"]}

    for name, status in found.items():
        forecast = status["forecast"]
        assert parse_time(forecast["startTime"]) % SLOT == 0 and forecast["slotSeconds"] == SLOT
        assert 90 <= len(forecast["carbonP50"]) <= 97
        assert status["basis"]["resolution"] == ("national" if name == "gb" else "regional")
        assert status_of(status, "Degraded") == "False"
        assert status_of(status, "PlaceShiftDisabled") == "False"
        assert status["now"]["renewablePerMille"] >= 0 and sum(m["perMille"] for m in status["mix"]) == 1000
        assert len(json.dumps(status)) < 64 * 1024
        if name == "gb":
            continue
        first = int((parse_time(status["recent"]["startTime"]) - start) / SLOT)
        # The past is what was recorded, but for the slot that has just ended, which may still be a forecast.
        past = status["recent"]["carbon"][:-1]
        assert len(past) >= 18
        assert past == [c * 1000 for c in names[name]["carbon"][first : first + len(past)]]
        ahead = int((parse_time(forecast["startTime"]) - start) / SLOT)
        prices = [p for p in forecast["priceP50"] if p is not None]
        assert prices == [round(p * 10000) for p in names[name]["price"][ahead : ahead + len(prices)]]
        sources = {s["metric"]: s for s in status["sources"]}
        assert sources["price"]["note"] == "household shape proxy" and sources["price"]["currency"] == "GBP"
        assert "ILLUSTRATIVE" in sources["price"]["product"]

    table = plane.kubectl("get", "gr")
    print(table)
    assert "CARBON NOW" in table and "p/kWh" in table and "carbonintensity-gb, regional" in table

    # At the border `now` moves on; a new issue follows, then that of the source which fills the last half hour, and
    # stress may change. No region is written more than that.
    world.audit.mark()
    before = found["london"]["forecast"]
    world.wait_all("has the next slot", lambda n, s: s["forecast"]["startTime"] > before["startTime"], timeout=45)
    world.wait_all("has the next issue", lambda n, s: s["forecast"]["issuedTime"] > before["issuedTime"], timeout=45)
    writes = [e["objectRef"]["name"] for e in world.audit.writes(resource="gridregions/status")]
    assert max(writes.count(name) for name in found) <= 6

    # Few requests: of carbon and prices a handful of questions a slot, and not many more of all the rest.
    asked = fetch(world.port, "/_replay/requests")
    counts = {path: c["count"] for path, c in asked["paths"].items()}
    assert asked["providers"]["carbonintensity-gb"] + asked["providers"]["octopus-agile"] < 60, counts
    assert sum(counts.values()) < 150, counts
    assert sum(c for p, c in counts.items() if p == "/v1/products/") == 1

    # A dead provider, and an operator that comes back to it: the last good data stay.
    replay.terminate()
    operator.kill()
    kept = world.regions()
    operator.start()
    operator.wait_ready()
    world.audit.mark()
    wait_for(lambda: world.audit.writes(resource="gridregions/status"), what="is written again", timeout=60)
    now = world.regions()
    for name, status in now.items():
        assert status_of(status, "Fresh") == "True"
        old, new = kept[name]["forecast"], status["forecast"]
        moved = int((parse_time(new["startTime"]) - parse_time(old["startTime"])) / SLOT)
        assert new["carbonP50"] == old["carbonP50"][moved:]


def set_faults(world: World, *faults: str) -> None:
    body = "\n".join(faults).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{world.port}/_replay/faults", data=body, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


def source_of(status: dict[str, Any], metric: str) -> dict[str, Any]:
    return next((s for s in status.get("sources", []) if s["metric"] == metric), {})


def test_chain(plane: ControlPlane, programs: ProcessRunner) -> None:
    """The chain steps down and back by itself; the status says what from, how sure, and reads well."""
    world = World(plane, programs, factor=240)  # an hour is 15 s
    world.replay()
    world.operator()
    found = world.wait_all("is fresh and has stress", lambda n, s: is_fresh(n, s) and "stressPerMille" in s)
    for status in found.values():
        assert status["confidencePerMille"] == 1000 and 0 <= status["stressPerMille"] <= 1000
        assert status["stressCause"] in ("demand", "margin", "loss-of-load")
        assert source_of(status, "stress")["provider"] == "elexon"
        assert source_of(status, "mix")["provider"] == "carbonintensity-gb"
        assert "Elexon" in source_of(status, "stress")["attribution"]
        assert source_of(status, "carbon")["use"] == "first source" and source_of(status, "carbon")["licence"]
        assert 0 <= status["now"]["renewablePerMille"] <= status["now"]["lowCarbonPerMille"] <= 1000

    # What a person sees: the last lines are the summary, in words.
    lines = [line.strip() for line in plane.kubectl("describe", "gr", "london").splitlines()]
    said = dict(line.split(":", 1) for line in lines[lines.index("Summary:") + 1 :] if ":" in line)
    words = {key: value.strip() for key, value in said.items()}
    print(words)
    assert words["Carbon"].endswith(" g/kWh") and words["Price"].endswith(" p/kWh")
    assert words["Source"] == "carbonintensity-gb, regional" and words["Confidence"] == "100 %"
    assert words["Price Source"] == "octopus-agile, household shape proxy"
    assert words["Stress"].endswith("(demand)") and "%" in words["Mix"]
    assert re.fullmatch(r"\d+ g/kWh at \S+Z", words["Cleanest"])
    assert set(words) <= {*"Carbon Cheapest Cleanest Confidence Mix Price Renewable Source Stress Events".split(),
                          "Forecast Until", "Low Carbon", "Price Source"}  # fmt: skip

    # The first source and the one behind it share a provider: two hours later it is the data portal's turn.
    set_faults(world, "11.02@carbonintensity-gb")
    found = world.wait_all(
        "goes by the data portal", lambda n, s: source_of(s, "carbon").get("provider") == "neso", timeout=60
    )
    for status in found.values():
        assert source_of(status, "carbon")["use"] == "fallback" and status["confidencePerMille"] == 900
        assert reason_of(status, "Degraded") == "CarbonFallback" and status_of(status, "Fresh") == "True"
        assert status_of(status, "PlaceShiftDisabled") == "False"  # all of them, so they can be compared
    # And back, within an hour of domain time.
    set_faults(world)
    world.wait_all(
        "is back at the first source",
        lambda n, s: source_of(s, "carbon").get("use") == "first source" and s["confidencePerMille"] == 1000,
        timeout=40,
    )

    # One region of the group whose figures mean something else: none is ranked while it is there.
    odd = {"group": "gb", "carbon": {"chain": [{"provider": "carbonintensity-gb", "zone": "national"}]}}
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(
        {"apiVersion": "loadshift.io/v1alpha1", "kind": "GridRegion", "metadata": {"name": "odd"}, "spec": odd}
    ))  # fmt: skip
    world.wait_all(
        "is not ranked", lambda n, s: n == "gb" or reason_of(s, "PlaceShiftDisabled") == "BasisDiffers", timeout=20
    )
    plane.kubectl("delete", "gr", "odd")
    world.wait_all("is ranked again", lambda n, s: status_of(s, "PlaceShiftDisabled") == "False", timeout=20)


def test_fallback_and_staleness(plane: ControlPlane, programs: ProcessRunner) -> None:
    """All providers down from the start, then back; then empty answers after a night without the operator."""
    world = World(plane, programs, factor=240)  # an hour is 15 s
    replay = world.replay("--fault", "11.02")
    operator = world.operator()
    found = world.wait_all("says that it has no data", lambda n, s: reason_of(s, "Fresh") == "NoData")
    assert status_of(found["london"], "Degraded") == "True"
    assert "carbonP50" not in found["london"].get("forecast", {})
    replay.terminate()
    replay = world.replay()
    world.wait_all("is fresh after the outage", is_fresh, timeout=40)
    replay.terminate()
    operator.terminate()
    kept = world.regions()["london"]
    # Seven hours later, and nothing but empty answers. The recording's place in domain time stays.
    world.clock = VirtualClock(240, world.clock.origin - 7 * 3600 // 239)
    replay = world.replay("--fault", "11.01")
    world.operator()
    stale = world.wait_all("is stale", lambda n, s: reason_of(s, "Fresh") == "Stale", timeout=40)
    # Last good data are still there to be seen, and marked.
    assert stale["london"]["forecast"]["carbonP50"][0] in kept["forecast"]["carbonP50"]
    replay.terminate()
    world.replay()
    world.wait_all("has recovered by itself", is_fresh, timeout=40)
