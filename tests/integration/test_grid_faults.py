# SPDX-License-Identifier: Apache-2.0
"""Every row of the table of what providers get wrong, against the operator, for all the providers it concerns at once.

The rows are spread over a few lanes (an API server, a gridreplay and an operator each) that run at the same time; the
tests below report what became of each. Only the rows that are selected run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import subprocess
import threading
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import ControlPlane
from conftest import install_crds
from harness.grid_faults import (
    BY_NUMBER,
    FORECASTS,
    GOOD,
    PRICES,
    REQUESTS_PER_HOUR,
    SERVED_BY,
    TABLE,
    USUAL_REQUESTS_PER_HOUR,
    Row,
)
from harness.grid import parse_time
from harness.grid_lane import Lane, Snapshot, region
from harness.process import ProcessRunner
from harness.waiting import wait_for
from harness.world import reason_of, status_of

LANES = 5
ASKED_BY = 1.15  # hours of domain time in which every provider is asked
SETTLE = 0.3  # what was under way when the fault began has ended
SEEN_WITHIN = 40  # real seconds; the slowest provider is asked every 16 s
STALE_WITHIN = 60  # 30 s without an issue make a forecast the last good one
WELL_WITHIN = 40
RETRY_AFTER = 2  # real seconds, as gridreplay says
MAX_CARBON = 1_000_000  # mg/kWh; nothing that is served without a fault comes near
LIVING_ON = ("CarbonFallback", "CarbonLastGood", "CarbonLastResort")


def known(status: dict[str, Any], what: str) -> dict[float, int]:
    """Forecast by time, without what is unknown."""
    forecast = status.get("forecast") or {}
    start, step = parse_time(forecast["startTime"]) if "startTime" in forecast else 0.0, forecast.get("slotSeconds", 0)
    return {start + i * step: v for i, v in enumerate(forecast.get(what) or []) if v is not None}


class Run:
    """One row in one lane."""

    def __init__(self, lane: Lane, row: Row) -> None:
        self.lane, self.row = lane, row
        self.forecasts = [p for p in FORECASTS if p in row.seen]
        self.notes: list[str] = []
        self.unwell = [p for p, seen in row.seen.items() if not set(seen.results) & set(GOOD)]

    def run(self) -> None:
        self.lane.faults("")
        self.wait_well(self.forecasts, [])
        before, counts = self.lane.regions(), self.lane.counts()
        metrics = self.lane.metrics()
        begun = time.monotonic()
        self.lane.faults(self.row.faults)
        prices = self.lane.add_price_regions([p for p in PRICES if p in self.row.seen])
        time.sleep(SETTLE)
        settled = self.lane.metrics()
        wait_for(lambda: self.check_seen(metrics), what="is seen", timeout=SEEN_WITHIN)
        if self.row.refused:
            wait_for(self.check_stale, what="regions live on their last good data", timeout=STALE_WITHIN)
        hours = self.row.hours or (0 if self.row.refused else ASKED_BY)
        time.sleep(max(0.0, begun + hours * 3600 / self.lane.clock.factor - time.monotonic()))
        self.check_only(settled)
        self.check_counts(counts, (time.monotonic() - begun) * self.lane.clock.factor / 3600)
        self.check_kept(before)
        self.check_prices(prices)
        if self.row.number == 16:
            self.check_patience()
        if self.row.number == 18:
            self.check_renewed(settled)
        metrics = self.lane.metrics()
        self.lane.faults("")
        if self.unwell:
            wait_for(lambda: self.check_good(metrics), what="all answer again", timeout=WELL_WITHIN)
        self.wait_well(self.forecasts, prices)

    def check_seen(self, before: Snapshot) -> bool:
        now = self.lane.metrics() - before
        missing = []
        for provider, seen in self.row.seen.items():
            results = {word for kind, p, word in now if kind == "requests" and p == provider}
            drops = {word for kind, p, word in now if kind == "drops" and p == provider}
            if not results & set(seen.results) or not set(seen.drops) <= drops:
                missing.append((provider, sorted(results), sorted(drops)))
        assert not missing, missing
        return True

    def check_only(self, before: Snapshot) -> None:
        """No answer under the fault is taken for something else."""
        now = self.lane.metrics() - before
        for provider, seen in self.row.seen.items():
            others = {w for kind, p, w in now if kind == "requests" and p == provider} - set(seen.results)
            assert not (seen.only and others), f"{provider}: also ended {others}"

    def check_stale(self) -> bool:
        found = self.lane.regions()
        fresh = {p: reason_of(found[p], "Fresh") for p in self.forecasts}
        assert set(fresh.values()) <= {"LastGood"}, fresh
        degraded = {p: reason_of(found[p], "Degraded") for p in self.forecasts}
        assert set(degraded.values()) <= {"CarbonLastGood"}, degraded
        if "carbonintensity-gb" in self.row.seen:
            assert reason_of(found["chain"], "Degraded") in LIVING_ON, found["chain"]["conditions"]
        return True

    def check_counts(self, before: dict[str, int], hours: float) -> None:
        now = self.lane.counts()
        for provider in sorted({SERVED_BY.get(p, p) for p in self.row.seen}):
            asked = now[provider] - before[provider]
            most = REQUESTS_PER_HOUR.get(provider, USUAL_REQUESTS_PER_HOUR)
            self.notes.append(f"{provider} {asked / hours:.0f}/h")
            assert asked <= most * hours, f"{provider} was asked {asked} times in {hours:.1f} h"

    def check_patience(self) -> None:
        """Who was told to come back in 2 s has not asked the same again earlier. (Two of ours ask Elexon the same.)"""
        told: dict[tuple[str, str], float] = {}
        for line in self.lane.log.read_text().splitlines():
            entry = json.loads(line)
            if entry["provider"] == "elexon":
                continue
            question = (entry["provider"], entry["path"] + re.sub("[0-9]", "", entry["query"]))
            waited = entry["real"] - told.pop(question, 0.0)
            assert waited >= RETRY_AFTER - 0.1, f"{question}: asked again after {waited:.2f} s"
            if entry["status"] == 429:
                told[question] = entry["real"]

    def check_renewed(self, before: Snapshot) -> None:
        """A token that has aged costs one refusal, not the answers until somebody remembers to log in again."""
        now = self.lane.metrics() - before
        good, refused = (sum(now["requests", "watttime", w] for w in words) for words in (GOOD, ("denied",)))
        assert good > refused > 0, (good, refused)

    def check_kept(self, before: dict[str, dict[str, Any]]) -> None:
        """Nothing that was known is lost, nothing shown is absurd, and nothing unknown has become 0."""
        after = self.lane.regions()
        for name in self.forecasts:
            old, new = known(before[name], "carbonP50"), known(after[name], "carbonP50")
            begin = parse_time(after[name]["forecast"]["startTime"])
            lost = [t for t in old if t >= begin and t not in new]
            assert not lost, f"{name}: {len(lost)} half hours lost"
            assert all(0 <= v <= MAX_CARBON for v in new.values()), f"{name}: {max(new.values())}"
            assert len(set(new.values())) > 20, f"{name}: {len(set(new.values()))} different values"
            if self.row.number != 8:
                zeros = [t for t, v in new.items() if v == 0 and old.get(t, 0) > 30_000]
                assert not zeros, f"{name}: 0 where there was none"
            assert status_of(after[name], "Fresh") == "True"

    def check_prices(self, names: list[str]) -> None:
        """Met for the first time while the fault lasts: unknown, or what it really is."""
        low, high = self.row.prices
        for name, status in self.lane.regions().items():
            if name in names:
                values = known(status, "priceP50").values()
                assert all(low <= v <= high and v != 0 for v in values), (name, list(values))

    def check_good(self, before: Snapshot) -> bool:
        now = self.lane.metrics() - before
        silent = [p for p in self.unwell if not any(now["requests", p, word] for word in GOOD)]
        assert not silent, silent
        return True

    def wait_well(self, names: list[str], prices: list[str]) -> None:
        def check() -> bool:
            found = self.lane.regions()
            reasons = {n: (reason_of(found[n], "Fresh"), reason_of(found[n], "Degraded")) for n in [*names, "chain"]}
            assert set(reasons.values()) == {("UpToDate", "FirstSource")}, reasons
            missing = [n for n in ["octopus-agile", *prices] if len(known(found[n], "priceP50")) < 10]
            assert not missing, f"no prices in {missing}"
            return True

        wait_for(check, what="all is well", timeout=WELL_WITHIN)


class Crew:
    """The lanes, and what became of each row."""

    def __init__(self, rows: list[Row], directory: Path, tools: dict[str, str]) -> None:
        self.directory, self.tools = directory, tools
        # Those that last longest first.
        self.rows = sorted(rows, key=lambda row: not row.refused)
        self.lock = threading.Lock()
        self.results: dict[int, str] = {}
        self.seconds: dict[int, float] = {}
        self.notes: dict[int, str] = {}
        self.broken: list[str] = []

    def work(self, number: int) -> None:
        directory = self.directory / f"lane-{number}"
        directory.mkdir(parents=True)
        try:
            with contextlib.ExitStack() as stack:
                plane = stack.enter_context(ControlPlane(directory / "cluster", tools=self.tools))
                install_crds(plane)
                programs = ProcessRunner(directory)
                stack.callback(programs.close)
                lane = Lane(plane, programs, directory / "files")
                lane.start()
                while row := self.next():
                    begun = time.monotonic()
                    self.results[row.number] = self.attempt(lane, row)
                    self.seconds[row.number] = time.monotonic() - begun
        except Exception:
            self.broken.append(traceback.format_exc())

    def next(self) -> Row | None:
        with self.lock:
            return self.rows.pop(0) if self.rows else None

    def attempt(self, lane: Lane, row: Row) -> str:
        run = Run(lane, row)
        try:
            run.run()
        except Exception as error:
            return f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}"
        finally:
            self.notes[row.number] = ", ".join(run.notes)
        return ""

    def run(self) -> None:
        threads = [threading.Thread(target=self.work, args=(n,)) for n in range(min(LANES, len(self.rows)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def crew(request: pytest.FixtureRequest, run_directory: Path, kube_tools: dict[str, str]) -> Iterator[Crew]:
    chosen = {
        item.callspec.params["number"]
        for item in request.session.items
        if item.path == request.path and "number" in getattr(item, "callspec", item).__dict__.get("params", {})
    }
    made = Crew([row for row in TABLE if row.number in chosen], run_directory / "grid-faults", kube_tools)
    made.run()
    yield made


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [row.number for row in TABLE], ids=lambda n: f"11.{n:02}")
def test_row(crew: Crew, number: int) -> None:
    assert number in crew.results, crew.broken
    print(f"11.{number:02} {BY_NUMBER[number].title}: {crew.seconds[number]:.0f} s; {crew.notes[number]}")
    assert not crew.results[number], crew.results[number]


def test_lanes(crew: Crew) -> None:
    """No crash, no sanitizer's report, no program that does not end."""
    assert not crew.broken, "\n".join(crew.broken)


# ---- what is no answer of a provider --------------------------------------------------------------------------------


def issue(directory: Path, name: str, host: str, days: int) -> None:
    """A certificate of the test's own authority; a negative number of days is over."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=directory)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    if not (directory / "ca.pem").exists():
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test", "-days", "2")
    (directory / "san").write_text(f"subjectAltName={host}")
    openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", str(days), "-extfile", "san", "-out", f"{name}.pem")  # fmt: skip


def use(directory: Path, name: str) -> None:
    for suffix in (".key", ".pem"):
        (directory / f"live{suffix}").write_bytes((directory / f"{name}{suffix}").read_bytes())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("row", ["11.19"])
def test_certificates_and_names(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner, workdir: Path, row: str
) -> None:
    """An expired certificate, one for another host, a name that does not resolve: nothing is taken, and it says why."""
    issue(workdir, "good", "IP:127.0.0.1", 2)
    issue(workdir, "expired", "IP:127.0.0.1", -1)
    issue(workdir, "elsewhere", "DNS:elsewhere.example", 2)
    use(workdir, "good")
    nowhere = {"baseURL": "http://no-such-host.invalid"}
    lane = Lane(private_cluster(), programs, workdir / "lane", certificate=workdir / "live.pem",
                providers={"carbonintensity-gb": {"caFile": str(workdir / "ca.pem")}, "watttime": nowhere})  # fmt: skip
    lane.start([region("secure", [("carbonintensity-gb", "13")]), region("nowhere", [("watttime", "UK")]),
                region("untrusted", [("electricity-maps", "DE")])])  # fmt: skip

    def reason(name: str, kind: str = "Fresh") -> str | None:
        return reason_of(lane.regions()[name], kind)

    def refused(word: str, provider: str = "carbonintensity-gb") -> int:
        return lane.metrics()["requests", provider, word]

    def message(name: str) -> str:
        return str(lane.regions()[name]["conditions"])

    wait_for(lambda: reason("secure") == "UpToDate", what="is served over https", timeout=30)
    before = known(lane.regions()["secure"], "carbonP50")
    for name in ("expired", "elsewhere"):
        use(workdir, name)
        count = refused("denied")
        wait_for(lambda: refused("denied"), until=lambda n, c=count: n > c, what=f"{name} is refused", timeout=40)
    wait_for(lambda: reason("secure") == "LastGood", what="lives on the last good data", timeout=60)
    assert "certificate" in message("secure"), message("secure")
    after = known(lane.regions()["secure"], "carbonP50")
    assert set(after) >= {t for t in before if t >= min(after)}
    # No authority that the system knows; no such name.
    assert refused("denied", "electricity-maps") > 0 and refused("ok", "electricity-maps") == 0
    assert refused("unavailable", "watttime") > 0
    assert (reason("untrusted"), reason("nowhere")) == ("NoData", "NoData")
    assert "certificate" in message("untrusted") and "resolve" in message("nowhere").lower(), message("nowhere")
    use(workdir, "good")
    wait_for(lambda: reason("secure") == "UpToDate", what="is served again", timeout=40)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("evening", "until"),
    [("2026-03-28T22:40+00:00", "2026-03-29T22:00+00:00"), ("2026-10-24T21:40+00:00", "2026-10-25T23:00+00:00")],
    ids=["11.12-spring", "11.12-autumn"],
)
def test_clock_change(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner, workdir: Path, evening: str, until: str
) -> None:
    """Days of 46 and 50 half hours: every price stands where it belongs, to 23:00 local, without a hole."""
    lane = Lane(private_cluster(), programs, workdir / "lane", moment=dt.datetime.fromisoformat(evening))
    lane.start([region("london", [("carbonintensity-gb", "13")], ("octopus-agile", "C"))])
    wait_for(lambda: known(lane.regions()["london"], "priceP50"), what="has prices", timeout=30)
    found = known(lane.regions()["london"], "priceP50")
    with urllib.request.urlopen(f"{lane.replay_url}/_replay/truth", timeout=10) as reply:
        truth = json.loads(reply.read())
    prices = next(r["price"] for r in truth["regions"] if r["gsp"] == "_C")
    start = parse_time(truth["start"])
    times = sorted(found)
    assert times[-1] + 1800 == parse_time(until)
    assert times == [times[0] + i * 1800 for i in range(len(times))] and len(times) >= 44
    assert [found[t] for t in times] == [round(prices[int((t - start) / 1800)] * 10000) for t in times]
