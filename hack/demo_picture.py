#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what a demo did, as SVG: carbon intensity by region above, each job's run and what it replaced below.

hack/demo --output DIR && hack/demo_picture.py DIR/demo.json > docs/images/demo.svg
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

Object = Mapping[str, Any]
RECORDING = Path(__file__).resolve().parent.parent / "demo" / "gb_regional_carbon_2023-02-09_3days.csv"
COLOURS = {
    "south-wales": "#a23b2a",
    "east-midlands": "#d1711b",
    "london": "#8a6d1f",
    "south-west-england": "#b0487f",
    "yorkshire": "#6b5bab",
    "west-midlands": "#2878b5",
    "north-scotland": "#2a8f5b",
}
WIDTH, LEFT, RIGHT = 980, 150, 132
TOP, CHART, GAP, ROW = 54, 220, 44, 27
MOST = 400  # g/kWh, top of the chart
END = "2023-02-10T06:00:00Z"
INK, FAINT, PAPER, SHADE = "#24292f", "#d0d7de", "#ffffff", "#f0f2f5"


def seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def recorded() -> dict[str, list[tuple[float, float]]]:
    """The recorded carbon intensity of each region in COLOURS: (time, g/kWh)."""
    series: dict[str, list[tuple[float, float]]] = {name: [] for name in COLOURS}
    with RECORDING.open() as file:
        for row in csv.DictReader(file):
            at = seconds(row.pop("time_utc"))
            for title, value in row.items():
                name = title.lower().replace(" ", "-")
                if name in series and value:
                    series[name].append((at, float(value)))
    return series


class Picture:
    """Elements of an SVG, in the demo's time."""

    def __init__(self, record: Object) -> None:
        self.jobs = sorted(record["carbonAwareJobs"], key=begun)
        self.moved = replanned(record)
        self.grid = record["gridData"]
        self.series = recorded()
        self.begin = next(iter(self.series.values()))[0][0]
        self.end = seconds(END)
        self.rows = TOP + CHART + GAP + 22
        self.height = self.rows + ROW * len(self.jobs) + 52

    def x(self, at: float) -> float:
        inner = WIDTH - LEFT - RIGHT
        return LEFT + inner * (min(max(at, self.begin), self.end) - self.begin) / (self.end - self.begin)

    def y(self, grams: float) -> float:
        return TOP + CHART * (1 - min(grams, MOST) / MOST)

    def svg(self) -> str:
        parts = [*self.frame(), *self.curves(), *(line for i, job in enumerate(self.jobs) for line in self.row(i, job))]
        style = "font-family='DejaVu Sans,Verdana,sans-serif' font-size='12'"
        head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {self.height}' width='{WIDTH}' {style}>"
        return "\n".join([head, *parts, *self.legend(), "</svg>", ""])

    def frame(self) -> Iterator[str]:
        yield f"<rect width='{WIDTH}' height='{self.height}' fill='{PAPER}'/>"
        yield from self.stand_ins()
        yield text(16, 24, "make demo: eleven jobs on a real Kubernetes, recorded GB grid data", size=15, weight="bold")
        yield text(16, 42, "carbon intensity, g CO2 per kWh", size=11)
        bottom = self.rows + ROW * len(self.jobs)
        for grams in range(0, MOST + 1, 100):
            yield line(LEFT, self.y(grams), WIDTH - RIGHT, self.y(grams), FAINT)
            yield text(LEFT - 8, self.y(grams) + 4, str(grams), anchor="end", size=11)
        at = self.begin - self.begin % 10800 + 10800
        while at < self.end:
            yield line(self.x(at), TOP, self.x(at), bottom, FAINT)
            label = dt.datetime.fromtimestamp(at, dt.UTC).strftime("%a %H:%M")
            yield text(self.x(at), TOP + CHART + 17, label, anchor="middle", size=11)
            at += 10800

    def stand_ins(self) -> Iterator[str]:
        """Shaded: while another source stood in for the first."""
        ends = [*(seconds(seen["time"]) for seen in self.grid[1:]), self.end]
        for seen, end in zip(self.grid, ends, strict=True):
            if seen["provider"] == self.grid[0]["provider"]:
                continue
            x, width = self.x(seconds(seen["time"])), self.x(end) - self.x(seconds(seen["time"]))
            yield f"<rect x='{x:.1f}' y='{TOP}' width='{width:.1f}' height='{CHART}' fill='{SHADE}'/>"
            words = (self.grid[0]["provider"], f"fails: {seen['provider']} instead,")
            for i, part in enumerate((*words, f"confidence {seen['confidence'] / 10:g} %")):
                yield text(x + 3, TOP + CHART - 34 + 13 * i, part, size=10)

    def curves(self) -> Iterator[str]:
        """Labels at the right end, pushed apart where lines end close to each other."""
        ends = []
        for name, points in self.series.items():
            shown = [(t, g) for t, g in points if t <= self.end]
            path = " ".join(f"{self.x(t):.1f},{self.y(g):.1f}" for t, g in shown)
            yield f"<polyline points='{path}' fill='none' stroke='{COLOURS[name]}' stroke-width='1.8'/>"
            ends.append([self.y(shown[-1][1]), name])
        ends.sort()
        for before, after in zip(ends, ends[1:], strict=False):
            after[0] = max(after[0], before[0] + 14)
        for y, name in ends:
            yield text(WIDTH - RIGHT + 6, y + 4, name, size=11, fill=COLOURS[name])

    def row(self, number: int, job: Object) -> Iterator[str]:
        """Hollow: what would have run at once at home. Full: what ran. Between them, the wait."""
        status, y = job["status"], self.rows + ROW * number
        yield text(LEFT - 8, y + 14, job["metadata"]["name"], anchor="end")
        baseline = status.get("baseline", {})
        runs = status.get("runs") or []
        length = job["spec"]["expectedDurationSeconds"]
        if baseline:
            start = seconds(baseline["startTime"])
            colour = COLOURS.get(baseline["region"], INK)
            yield bar(self.x(start), y + 3, self.x(start + length) - self.x(start), "none", colour)
        if not runs:
            yield text(self.x(self.begin + 3 * 3600) + 6, y + 14, "hard limit never met: did not run", size=11)
            return
        first, last = min(seconds(r["startTime"]) for r in runs), max(seconds(r["endTime"]) for r in runs)
        waits_from = start + length if baseline and first > start + length else first
        if last > waits_from:
            yield line(self.x(waits_from), y + 10, self.x(last), y + 10, INK, dash="2 4")
        for at in self.moved.get(job["metadata"]["name"], []):
            yield text(self.x(at), y + 14, "\u25c6", anchor="middle", size=11)
        for run in runs:
            x, end = self.x(seconds(run["startTime"])), self.x(seconds(run["endTime"]))
            yield bar(x, y + 3, end - x, COLOURS.get(run["region"], INK), "none")
        yield text(WIDTH - RIGHT + 6, y + 14, saved(status), size=11)

    def legend(self) -> Iterator[str]:
        y = self.rows + ROW * len(self.jobs) + 14
        yield bar(LEFT, y, 26, "none", INK) + text(LEFT + 32, y + 11, "at once, at home (baseline)", size=11)
        yield bar(LEFT + 210, y, 26, INK, "none") + text(LEFT + 242, y + 11, "what ran; colour = region", size=11)
        yield text(LEFT + 420, y + 11, "\u25c6 planned anew by a newer forecast", size=11)
        yield text(WIDTH - RIGHT + 6, self.rows - 8, "saved", size=11, weight="bold")
        note = "Data: National Energy System Operator, Regional Carbon Intensity, CC BY 4.0. Prices are illustrative."
        yield text(16, y + 32, note, size=10)


def replanned(record: Object) -> dict[str, list[float]]:
    """When a newer forecast moved each job, in the demo's time; from the events."""
    origin, factor = seconds(record["clock"]["origin"]), record["clock"]["factor"]
    moved: dict[str, list[float]] = {}
    for event in record["events"]:
        if event["reason"] == "Replanned":
            at = origin + (seconds(event["lastTimestamp"]) - origin) * factor
            moved.setdefault(event["involvedObject"]["name"], []).append(at)
    return moved


def begun(job: Object) -> tuple[float, str]:
    runs = job["status"].get("runs") or []
    return min((seconds(r["startTime"]) for r in runs), default=0.0), job["metadata"]["name"]


def saved(status: Object) -> str:
    total = status.get("savings", {}).get("total", {})
    grams, cost = total.get("carbonMilligrams"), total.get("cost")
    parts = [f"{grams / 1000:.0f} g".replace("-0 g", "0 g")] if grams is not None else []
    parts += [f"{float(cost) * 100:.0f} p".replace("-0 p", "0 p")] if cost is not None else []
    return ", ".join(parts) or "not available"


def text(
    x: float, y: float, words: str, *, anchor: str = "start", size: int = 12, weight: str = "normal", fill: str = INK
) -> str:
    place = f"x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'"
    return f"<text {place} font-size='{size}' font-weight='{weight}' fill='{fill}'>{escape(words)}</text>"


def line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}'{dashes}/>"


def bar(x: float, y: float, width: float, fill: str, stroke: str) -> str:
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 3):.1f}' height='14' rx='2' "
        f"fill='{fill}' stroke='{stroke}' stroke-width='1.3'/>"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(Picture(json.loads(Path(sys.argv[1]).read_text())).svg())
