# SPDX-License-Identifier: Apache-2.0
"""What providers of grid data get wrong (the table of 28 rows), whom it concerns, and what must become of it.

Words of `loadshift_grid_requests_total{provider,result}` and `loadshift_grid_dropped_points_total{provider,reason}`.
For every row: nothing that was known is lost, what is shown is possible, a region stays Fresh, and requests stay few.
A row that is `refused` leaves regions with one source Fresh=LastGood and Degraded=CarbonLastGood, the region with a chain
Degraded by its next source; afterwards all are UpToDate again without a restart. The others change no condition.

test_grid_faults.py runs every row; certificates (19), names (20) and clock changes (12) have tests of their own there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GOOD = ("ok", "partial")
# Who has a forecast, and so keeps its region fresh; who gives carbon or prices without one; what has no region.
FORECASTS = ("carbonintensity-gb", "neso", "electricity-maps", "watttime", "carbon-aware-sdk", "generic")
NOWCASTS = ("fuel-mix", "prometheus", "eia")
PRICES = ("octopus-agile", "entsoe", "energy-charts")  # entsoe: carbon too
FEEDS = ("elexon", "pv-live", "open-meteo", "met-office")
EVERYBODY = FORECASTS + NOWCASTS + PRICES + FEEDS
SERVED_BY = {"fuel-mix": "elexon"}  # whose paths gridreplay sees it on
# Requests in an hour of domain time that are not a storm: what the schedule makes of failures, and some more.
REQUESTS_PER_HOUR = {"elexon": 75, "watttime": 75, "neso": 40, "octopus-agile": 40}
USUAL_REQUESTS_PER_HOUR = 20


@dataclass(frozen=True)
class Seen:
    """How requests end (at least one of them so, and none otherwise if `only`), and reasons why points are dropped."""

    results: tuple[str, ...]
    drops: tuple[str, ...] = ()
    only: bool = False


@dataclass(frozen=True)
class Row:
    number: int
    title: str
    seen: dict[str, Seen]
    refused: bool = False  # nothing usable comes: regions live on their last good data, and say so
    fault: str = ""  # other than that row for each provider
    hours: float = 0  # of domain time that the fault lasts at least
    prices: tuple[int, int] = field(default=(-1_000_000, 1_500_000))  # millionths per kWh that may be shown

    @property
    def faults(self) -> str:
        providers = {SERVED_BY.get(p, p) for p in self.seen}
        return self.fault or ",".join(f"11.{self.number:02}@{p}" for p in sorted(providers))


def all_of(
    providers: tuple[str, ...], *results: str, drops: tuple[str, ...] = (), only: bool = False
) -> dict[str, Seen]:
    return dict.fromkeys(providers, Seen(results, drops, only))


CARBON = (*FORECASTS, "prometheus")
TABLE = (
    Row(1, "200 with {}, [] or no body", all_of(EVERYBODY, "empty", "invalid", only=True), refused=True),
    Row(2, "5xx for hours", all_of(EVERYBODY, "unavailable", only=True), refused=True),
    Row(3, "a shorter horizon", all_of(FORECASTS, *GOOD) | all_of(("elexon", "open-meteo", "met-office"), *GOOD)),
    Row(
        4,
        "a fallback that invents data",
        all_of(CARBON[1:], "invalid", drops=("range",)) | {"carbonintensity-gb": Seen(GOOD, ("range",))},
        refused=True,
    ),
    Row(5, "nothing, to be cached for a week", all_of(EVERYBODY, "empty", only=True), refused=True),
    Row(6, "every second answer is empty", all_of(EVERYBODY, "empty", "invalid", *GOOD), hours=1.5),
    Row(
        7,
        "a missing value is not 0",
        all_of(FORECASTS, *GOOD, drops=("missing",))
        | all_of(("pv-live", "open-meteo", "met-office", "energy-charts"), *GOOD, drops=("missing",))
        | {"elexon": Seen(GOOD, ("missing",)), "entsoe": Seen(GOOD), "octopus-agile": Seen(GOOD)},
    ),
    Row(8, "negative carbon, negative prices", all_of(CARBON, *GOOD, drops=("clamped",)) | all_of(PRICES, *GOOD)),
    Row(
        9,
        "outliers",
        all_of(CARBON, *GOOD, drops=("range",))
        | all_of(PRICES, *GOOD, drops=("range",))
        | all_of(("elexon", "open-meteo", "met-office"), *GOOD, drops=("range",)),
    ),
    Row(
        10,
        "one bad point costs one point",
        all_of(FORECASTS, *GOOD, drops=("type",)) | all_of((*PRICES, *FEEDS), *GOOD, drops=("type",)),
    ),
    Row(
        11,
        "a value repeated for hours",
        # Of the others, some are flat by nature: a tariff, the plant at the margin, hourly figures.
        {p: Seen(GOOD, ("flat",)) for p in ("carbonintensity-gb", "neso")}
        | {"elexon": Seen(("invalid", *GOOD), ("flat",))},
        refused=True,
    ),
    Row(
        12,
        "an hour that comes twice",
        all_of(FORECASTS, *GOOD, drops=("duplicate",)) | {"elexon": Seen(GOOD, ("duplicate",)), "pv-live": Seen(GOOD)},
    ),
    Row(13, "another resolution", all_of((*FORECASTS, *PRICES, *FEEDS), *GOOD)),
    Row(14, "tomorrow comes late", all_of((*FORECASTS, *PRICES), *GOOD)),
    Row(15, "pages that drift", {"octopus-agile": Seen(GOOD, ("duplicate",)), "eia": Seen(GOOD)}),
    Row(16, "429", all_of(EVERYBODY, "throttled", only=True), refused=True),
    Row(
        17,
        "an answer that makes one ask again at once",
        all_of(("watttime", "carbon-aware-sdk"), "empty")
        | all_of(("carbonintensity-gb", "neso", "electricity-maps", "generic", *PRICES), *GOOD),
        hours=2.2,
    ),
    Row(
        18,
        "keys refused, tokens aged",
        all_of(("electricity-maps", "eia", "entsoe", "met-office"), "denied", only=True)
        | {"watttime": Seen(("denied", *GOOD))},
        hours=1.5,
    ),
    Row(
        20,
        "slow, endless, cut and large bodies",
        {
            "carbonintensity-gb": Seen(("limit",), only=True),
            "neso": Seen(("unavailable",), only=True),
            "watttime": Seen(("limit",), only=True),
            "carbon-aware-sdk": Seen(("unavailable",), only=True),
            "generic": Seen(("timeout",), only=True),
            "electricity-maps": Seen(("timeout",), only=True),
        },
        refused=True,
        fault="11.20/large@carbonintensity-gb,11.20/cut@neso,11.20/endless@watttime,11.20/cut@carbon-aware-sdk,"
        "11.20/drip@generic,11.20/hold@electricity-maps",
    ),
    Row(21, "moved, gone, led away", all_of(EVERYBODY, "denied", "not-found", only=True), refused=True),
    Row(
        22,
        "another schema",
        all_of((*FORECASTS, *NOWCASTS, *FEEDS), *GOOD)
        | {"entsoe": Seen(GOOD), "octopus-agile": Seen(GOOD), "energy-charts": Seen(("invalid",))},
    ),
    Row(23, "HTML", all_of(EVERYBODY, "invalid", only=True), refused=True),
    Row(
        24,
        "the span asked for is ignored",
        all_of(FORECASTS, "invalid", drops=("span",)) | all_of((*PRICES, *FEEDS), "invalid", drops=("span",)),
        refused=True,
    ),
    Row(
        25,
        "a dead leg",
        {
            "elexon": Seen(("invalid",), ("dead",)),
            "fuel-mix": Seen(("invalid",)),
            "eia": Seen(("invalid",)),
            "entsoe": Seen(("invalid",)),
        },
    ),
    Row(26, "a gap that is never filled", all_of(FORECASTS, *GOOD) | {"octopus-agile": Seen(GOOD)}),
    Row(27, "names cannot be looked up", {"octopus-agile": Seen(GOOD), "neso": Seen(GOOD)}),
    Row(
        28,
        "another zone, another unit",
        all_of(("carbonintensity-gb", "neso", "electricity-maps", "watttime"), "invalid")
        | all_of(("eia", "entsoe", "energy-charts"), "invalid"),
        refused=True,
    ),
)
BY_NUMBER = {row.number: row for row in TABLE}
