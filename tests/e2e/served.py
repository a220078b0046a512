# SPDX-License-Identifier: Apache-2.0
"""What the providers said, and what stood of it in the GridRegions: the bodies that the grid data's source served, read
once more by the chain's rules (docs/gridregion.md). Shares no code with Loadshift."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

Object = Mapping[str, Any]
Column = dict[int, float]  # start of slot in ms: value; absent = unknown
SLOT = 1_800_000
FRESH, OLDEST = 2 * 3_600_000, 6 * 3_600_000  # ages of carbon data
RENEWABLE_FUELS = {"wind", "solar", "hydro", "biomass"}


def to_ms(text: str) -> int:
    return round(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def to_text(ms: int | None) -> str:
    if ms is None:
        return "never"
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def slot_of(ms: int) -> int:
    return ms // SLOT * SLOT


@dataclass(frozen=True)
class Answer:
    """What one body says of one signal of one zone, ahead only."""

    asked: int
    issued: int
    values: Column


Source = tuple[str, str]  # provider and its name of the zone


class Bodies:
    """Every answer of the grid data's source, each with the (domain) time at which it was asked for."""

    def __init__(self, records: Iterable[Object]) -> None:
        self._answers: dict[tuple[Source, str], list[Answer]] = {}
        self._tracks: dict[tuple[Source, str, int], Track] = {}
        self._price: list[tuple[int, str, Any]] = []
        self._prices: dict[tuple[str, int], Column] = {}
        self._modified: dict[str, int] = {}  # NESO's resource: when its data were issued
        self.times: list[int] = []  # of all carbon answers, in order
        for record in sorted((r for r in records if r["status"] == 200), key=lambda r: r["now_ms"]):
            self._read(record["now_ms"], urlsplit(record["target"]), record["body"])

    def _read(self, now: int, target: SplitResult, body: str) -> None:
        path = unquote(target.path)
        if path.startswith("/regional/intensity/") and path.endswith("/fw48h"):
            self._read_carbon_api(now, json.loads(body))
        elif path.endswith("/package_show"):
            for resource in json.loads(body)["result"]["resources"]:
                self._modified[resource["id"]] = to_ms(resource["last_modified"] + "Z")
        elif path.endswith("/datastore_search"):
            resource = parse_qs(target.query)["resource_id"][0]
            self._read_neso(now, self._modified[resource], json.loads(body)["result"]["records"])
        elif path.endswith("/standard-unit-rates/"):
            zone = path.split("/electricity-tariffs/")[1].split("/")[0][-1]
            self._price.append((now, zone, json.loads(body)))

    def _read_carbon_api(self, now: int, body: Any) -> None:
        columns: dict[tuple[str, str], Column] = {}
        for window in body["data"]:
            for region in window["regions"]:
                zone, start = str(region["regionid"]), to_ms(window["from"])
                if region["intensity"]["forecast"] is not None:
                    grams = region["intensity"]["forecast"]
                    columns.setdefault((zone, "carbon"), {})[start] = max(0, round(grams * 1000))
                columns.setdefault((zone, "renewable"), {})[start] = renewable_permille(region["generationmix"])
        for (zone, signal), column in columns.items():
            self._keep(("carbonintensity-gb", zone), signal, Answer(now, slot_of(now), column))

    def _read_neso(self, now: int, issued: int, rows: Sequence[Object]) -> None:
        """Rows of the regional forecast have a column for each region, by its title; other tables are passed over."""
        columns: dict[str, Column] = {}
        for row in rows:
            if "datetime" not in row or "London" not in row:
                continue
            start = to_ms(row["datetime"] + "Z")
            for title, grams in row.items():
                if isinstance(grams, int | float) and not title.startswith("_"):
                    columns.setdefault(title.lower().replace(" ", "-"), {})[start] = max(0, round(grams * 1000))
        for zone, column in columns.items():
            self._keep(("neso", zone), "carbon", Answer(now, issued, column))

    def _keep(self, source: Source, signal: str, answer: Answer) -> None:
        self._answers.setdefault((source, signal), []).append(answer)
        if signal == "carbon" and answer.asked not in self.times[-1:]:
            self.times.append(answer.asked)

    def track(self, source: Source, signal: str, until: int) -> Track:
        """What that source had said by then."""
        key = (source, signal, until)
        if key not in self._tracks:
            self._tracks[key] = Track()
            for answer in self._answers.get((source, signal), []):
                if answer.asked <= until:
                    self._tracks[key].merge(answer)
        return self._tracks[key]

    def price(self, zone: str, issued_ms: int) -> Column:
        """Millionths of a pound per kWh. What was once published stays true: all answers up to that slot count."""
        if (zone, issued_ms) not in self._prices:
            column: Column = {}
            for now, its_zone, body in self._price:
                if its_zone == zone and slot_of(now) <= issued_ms:
                    column.update(price_column(body))
            self._prices[zone, issued_ms] = column
        return self._prices[zone, issued_ms]


def renewable_permille(mix: Iterable[Object]) -> int:
    shares = {row["fuel"]: row["perc"] for row in mix}
    green = sum(share for fuel, share in shares.items() if fuel in RENEWABLE_FUELS)
    return round(1000 * green / sum(shares.values()))


@dataclass
class Track:
    """The newest word of one source on each half hour; what newer issues leave out is kept for a while."""

    issued: int | None = None
    values: dict[int, tuple[int, float]] = field(default_factory=dict)  # start: its issue, value

    def merge(self, answer: Answer) -> None:
        ahead = {s: v for s, v in answer.values.items() if s + SLOT > answer.asked}
        for slot, value in ahead.items():
            if slot not in self.values or self.values[slot][0] <= answer.issued:
                self.values[slot] = answer.issued, value
        if ahead and (self.issued is None or answer.issued >= self.issued):
            self.issued = answer.issued
        if self.issued is not None:
            self.values = {s: v for s, v in self.values.items() if v[0] >= self.issued - OLDEST}

    def age(self, now: int) -> int | None:
        """None: knows nothing of now or later, or nothing that may still be acted upon."""
        if self.issued is None or now - self.issued > OLDEST or not any(s + SLOT > now for s in self.values):
            return None
        return now - self.issued


@dataclass(frozen=True)
class Known:
    """What a region's GridRegion held of carbon."""

    issued: int
    confidence: int  # per mille
    columns: Mapping[str, Column]  # carbon, renewable


def resolution(source: Source) -> str:
    """Sources of the same one mean the same; their bases are alike otherwise."""
    return "national" if source[1] in ("national", "GB") else "regional"


def first_usable(tracks: Sequence[Track], now: int) -> int | None:
    """The first of the chain that is fresh, else the first that is not too old."""
    ages = [track.age(now) for track in tracks]
    for limit in (FRESH, OLDEST):
        for i, age in enumerate(ages):
            if age is not None and age <= limit:
                return i
    return None


def filled(tracks: Sequence[Track], chosen: int, alike: Sequence[int]) -> Column:
    """The chosen one's values, and in its gaps those of the others that mean the same, in their order."""
    column: Column = {}
    issued = tracks[chosen].issued or 0
    for i in [chosen, *(i for i in alike if i != chosen)]:
        if issued - (tracks[i].issued or issued) <= OLDEST:
            for slot, (_, value) in tracks[i].values.items():
                column.setdefault(slot, value)
    return column


def known_of(bodies: Bodies, chain: Sequence[Source], until: int, now: int) -> Known | None:
    """The fallback chain, by the rules of docs/gridregion.md; from what was asked for by `until`, as of `now`."""
    tracks = [bodies.track(source, "carbon", until) for source in chain]
    chosen = first_usable(tracks, now)
    if chosen is None:
        return None
    age = tracks[chosen].age(now) or 0
    confidence = 1000
    for _ in range(chosen):
        confidence = confidence * 9 // 10
    confidence -= confidence * max(0, age - FRESH) // (OLDEST - FRESH) // 2
    alike = [i for i, source in enumerate(chain) if resolution(source) == resolution(chain[chosen])]
    shares = [bodies.track(source, "renewable", until) for source in chain]
    green = first_usable([shares[i] for i in alike], now)
    columns = {
        "carbon": filled(tracks, chosen, alike),
        "renewable": {} if green is None else filled(shares, alike[green], alike),
    }
    return Known(tracks[chosen].issued or 0, confidence, columns)


def price_column(body: Any) -> Column:
    column: Column = {}
    for row in body["results"]:
        for slot in range(to_ms(row["valid_from"]), to_ms(row["valid_to"]), SLOT):
            column[slot] = round(row["value_exc_vat"] * 10_000)
    return column
