# SPDX-License-Identifier: Apache-2.0
"""An operator that asks every provider there is, all played by one gridreplay, on a control plane of its own."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from cluster import ControlPlane, free_port
from harness.api import Api
from harness.grid import VirtualClock, rfc3339
from harness.process import ProcessRunner
from harness.replay import CSV
from harness.world import reason_of

FACTOR = 240
# A summer's day, before the auctions: what is due when does not depend on when the test runs.
MORNING = dt.datetime(2026, 6, 10, 8, 0, tzinfo=dt.UTC)
PRICE_ZONES = {
    "octopus-agile": list("BCDEFGHJKLMNP"),
    "entsoe": ["BE", "FR", "NL", "PT", "AT", "CH", "CZ", "PL", "FI", "EE", "LV", "LT", "HU", "SI"],
    "energy-charts": ["BE", "FR", "NL", "DE-LU", "AT", "CH", "CZ", "PL", "HU", "SI", "DK1", "DK2", "SE4", "NO2"],
}
CARBON_ZONES = {
    "carbonintensity-gb": "13",
    "neso": "13",
    "electricity-maps": "DE",
    "watttime": "UK",
    "carbon-aware-sdk": "uksouth",
    "generic": "own-file",
    "prometheus": "own-series",
    "fuel-mix": "GB",
    "eia": "CISO",
    "entsoe": "ES",
}
KEYED = ("electricity-maps", "watttime", "entsoe", "eia", "met-office")

Snapshot = Counter[tuple[str, str, str]]


def clock_at(moment: dt.datetime) -> VirtualClock:
    """Shows that time now."""
    return VirtualClock(FACTOR, int((FACTOR * time.time() - moment.timestamp()) / (FACTOR - 1)))


def region(name: str, carbon: list[tuple[str, str]], price: tuple[str, str] | None = None) -> dict[str, Any]:
    def chain(links: list[tuple[str, str]]) -> dict[str, Any]:
        return {"chain": [{"provider": p, "zone": z} for p, z in links]}

    spec: dict[str, Any] = {"displayName": name, "carbon": chain(carbon)}
    if price:
        spec["price"] = chain([price])
    return {"kind": "GridRegion", "apiVersion": "loadshift.io/v1alpha1", "metadata": {"name": name}, "spec": spec}


def all_regions() -> list[dict[str, Any]]:
    """One for each provider of carbon, one that falls back from the first to the last, one whose price is known."""
    chain = [("carbonintensity-gb", "13"), ("neso", "13"), ("fuel-mix", "GB"), ("static-factors", "GB")]
    priced = region("octopus-agile", [("static-factors", "GB")], ("octopus-agile", "A"))
    return [*(region(p, [(p, zone)]) for p, zone in CARBON_ZONES.items()), region("chain", chain), priced]


def configuration(server: str, secrets: Path) -> dict[str, Any]:
    """The operator's, with a key for everybody who wants one, and sources of our own."""
    providers: dict[str, Any] = {"neso": {"redirectHosts": "localhost"}}
    for name in KEYED:
        (secrets / name).write_text(f"key-of-{name}\n")
        providers[name] = {"secretFile": str(secrets / name)}
    (secrets / "user").write_text("user\n")
    providers["watttime"]["userFile"] = str(secrets / "user")
    providers["carbon-aware-sdk"] = {"baseURL": server}
    providers["prometheus"] = {"baseURL": server}
    basis = "average, direct, consumption, zone"
    place = {"latitude": 51.5, "longitude": -0.1, "name": "weather"}
    return {
        "grid": {
            "server": server,
            "providers": providers,
            "feeds": [
                {"metric": metric, "provider": provider, "zone": zone, "area": "GB"}
                for metric, provider, zone in (
                    ("demand", "elexon", "GB"),
                    ("wind", "elexon", "GB"),
                    ("margin", "elexon", "GB"),
                    ("wholesale", "elexon", "GB"),
                    ("solar", "pv-live", "GB"),
                    ("temperature", "open-meteo", "weather"),
                    ("temperature", "met-office", "weather"),
                )
            ],
            "sources": [
                {"provider": "generic", "name": "own-file", "metric": "carbon", "basis": basis, "format": "json",
                 "url": server + "/files/carbon.json?from={from}&to={to}", "rows": "data", "timeField": "time",
                 "valueField": "value", "scale": 1000},
                {"provider": "prometheus", "name": "own-series", "metric": "carbon", "basis": basis, "scale": 1000,
                 "query": "avg(grid_carbon)"},
                {"provider": "open-meteo", "metric": "temperature", **place},
                {"provider": "met-office", "metric": "temperature", **place},
            ],
        }
    }  # fmt: skip


class Lane:
    """One control plane, one gridreplay, one operator; one row of faults after the other."""

    def __init__(
        self,
        plane: ControlPlane,
        programs: ProcessRunner,
        directory: Path,
        *,
        moment: dt.datetime = MORNING,
        certificate: Path | None = None,
        providers: dict[str, dict[str, str]] | None = None,
    ) -> None:
        """certificate: of gridreplay, its key beside it; then it serves https. providers: settings of more of them."""
        directory.mkdir(parents=True, exist_ok=True)
        self.plane, self.programs, self.directory = plane, programs, directory
        self.api = Api(plane.client)
        self.clock = clock_at(moment)
        self.replay_port, self.metrics_port = free_port(), free_port()
        self.replay_url = f"http{'s' if certificate else ''}://127.0.0.1:{self.replay_port}"
        self.certificate, self.providers = certificate, providers or {}
        self.log = directory / "requests.json"
        self.fresh_zone = 0

    def start(self, regions: list[dict[str, Any]] | None = None) -> None:
        self.start_replay()
        for each in all_regions() if regions is None else regions:
            self.api.create(each)
        self.start_operator()

    def start_replay(self) -> None:
        """Again after its end: the recording lasts three days, of which ten hours have passed."""
        start = rfc3339(self.clock.now() // 1800 * 1800 - 10 * 3600)
        tls: list[str | Path] = []
        if self.certificate:
            tls = ["--tls-cert", self.certificate, "--tls-key", self.certificate.with_suffix(".key")]
        self.replay = self.programs.start(
            "gridreplay", "--port", str(self.replay_port), "--start", start, "--carbon", CSV,
            "--request-log", str(self.log), *tls, *self.clock.flags(),
            ready=None if tls else f"{self.replay_url}/_replay/requests",
        )  # fmt: skip

    def start_operator(self) -> None:
        config = self.directory / "operator.yaml"
        settings = configuration(self.replay_url, self.directory)
        for name, more in self.providers.items():
            settings["grid"]["providers"].setdefault(name, {}).update(more)
        config.write_text(yaml.safe_dump(settings))
        probes = free_port()
        self.operator = self.programs.start(
            "operator", "--config", str(config), "--kubeconfig", str(self.plane.kubeconfig),
            "--namespace", "default", "--metrics-port", str(self.metrics_port), "--probes-port", str(probes),
            *self.clock.flags(), ready=f"http://127.0.0.1:{probes}/readyz",
        )  # fmt: skip

    def add_price_regions(self, providers: list[str]) -> list[str]:
        """A zone that nobody has asked for yet, for each: prices are not asked for often enough otherwise."""
        names = []
        for provider in providers:
            names.append(f"{provider}-{self.fresh_zone}")
            zone = PRICE_ZONES[provider][self.fresh_zone]
            self.api.create(region(names[-1], [("static-factors", "GB")], (provider, zone)))
        self.fresh_zone += 1
        return names

    def faults(self, text: str) -> None:
        request = urllib.request.Request(f"{self.replay_url}/_replay/faults", text.encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=20) as reply:
            assert reply.status == 200

    def metrics(self) -> Snapshot:
        """(requests or drops, provider, result or reason) and how many."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        found: Snapshot = Counter()
        for family, kind in (("requests_total", "requests"), ("dropped_points_total", "drops")):
            pattern = rf'^loadshift_grid_{family}{{provider="([^"]*)",(?:result|reason)="([^"]*)"}} (\S+)$'
            for provider, word, value in re.findall(pattern, text, re.MULTILINE):
                found[kind, provider, word] += int(float(value))
        return found

    def counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.replay_url}/_replay/requests", timeout=10) as reply:
            counts: dict[str, int] = json.loads(reply.read())["providers"]
        return counts

    def regions(self) -> dict[str, dict[str, Any]]:
        return {r["metadata"]["name"]: r.get("status", {}) for r in self.api.list("gridregions")}

    def fresh(self, name: str) -> str | None:
        return reason_of(self.api.get("gridregions", name).get("status", {}), "Fresh")
