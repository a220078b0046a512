# SPDX-License-Identifier: Apache-2.0
"""gridreplay: the providers' shapes and habits, honest forecasts, late prices, faults. No Kubernetes needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from harness.process import ProcessRunner
from harness.replay import (
    CSV,
    PRODUCT,
    SLOT,
    Replay,
    at,
    leave_border,
    minute,
    parse,
    recorded,
    rfc3339,
    slot_of,
    started,
    utc_now,
)

LONDON = ZoneInfo("Europe/London")


@pytest.fixture
def replay(programs: ProcessRunner) -> Callable[..., Replay]:
    return lambda *arguments: Replay(programs, *arguments)


@pytest.fixture(autouse=True)
def not_at_a_border() -> None:
    """The tests ask several times and mean the same half hour."""
    leave_border()


def regional_values(windows: list[Any]) -> dict[tuple[datetime, int], int]:
    return {(parse(w["from"]), r["regionid"]): r["intensity"]["forecast"] for w in windows for r in w["regions"]}


def test_regional_shapes(replay: Callable[..., Replay]) -> None:
    r = replay(*started(10))
    now = slot_of(utc_now())
    windows = r.get(f"/regional/intensity/{minute(now)}/fw48h")["data"]
    # Every window whose end lies in the range, so also the one that has just ended.
    assert len(windows) == 97
    assert parse(windows[0]["from"]) == now - SLOT
    assert all(parse(w["to"]) - parse(w["from"]) == SLOT for w in windows)
    assert len(r.get(f"/regional/intensity/{minute(now)}/fw24h")["data"]) == 49
    assert len(r.get(f"/regional/intensity/{minute(now + timedelta(minutes=5))}/fw24h")["data"]) == 48
    assert len(r.get(f"/regional/intensity/{minute(now)}/pt24h")["data"]) == 20
    regions = windows[0]["regions"]
    assert [x["regionid"] for x in regions] == list(range(1, 19))
    assert regions[12]["dnoregion"] == "UKPN London" and regions[5]["shortname"] == "North Wales & Merseyside"
    for x in regions:
        assert set(x["intensity"]) == {"forecast", "index"}
        assert len(x["generationmix"]) == 9
        assert abs(sum(f["perc"] for f in x["generationmix"]) - 100) < 0.5
    one = r.get(f"/regional/intensity/{minute(now)}/fw24h/regionid/13")["data"]
    assert isinstance(one, dict) and one["regionid"] == 13 and len(one["data"]) == 49
    assert isinstance(r.get("/regional/regionid/13")["data"], list)
    assert r.get("/regional/scotland")["data"][0]["regionid"] == 16
    assert len(r.get("/regional")["data"][0]["regions"]) == 18
    assert r.get("/regional/intensity/2023-02-09/fw48h") == {}
    assert r.raw("/regional/intensity/nonsense/fw48h")[0] == 400
    assert r.raw("/regional/regionid/18")[0] == 400
    assert r.raw("/elsewhere")[0] == 404
    # The whole two days are about as large as the real answer.
    assert 500_000 < len(r.raw(f"/regional/intensity/{minute(now)}/fw48h")[2]) < 1_000_000


def test_national_shapes(replay: Callable[..., Replay]) -> None:
    r = replay(*started(10))
    now = slot_of(utc_now())
    rows = recorded()
    windows = r.get(f"/intensity/{minute(now)}/pt24h")["data"]
    assert [w["intensity"]["actual"] is None for w in windows] == [False] * 19 + [True]
    # Actuals are the unweighted mean of the regions.
    for i, w in enumerate(windows[:-1]):
        assert abs(w["intensity"]["actual"] - sum(rows[i]) / 14) <= 0.5
    current = r.get("/intensity")["data"]
    assert len(current) == 1 and parse(current[0]["to"]) == now
    assert isinstance(r.get("/generation")["data"], dict)
    assert len(r.get(f"/generation/{minute(now - timedelta(hours=2))}/{minute(now)}")["data"]) == 5
    assert r.get("/intensity/factors")["data"][0]["Gas (Combined Cycle)"] == 394
    day = (now + timedelta(days=1)).strftime("%Y-%m-%d")
    assert len(r.get(f"/intensity/date/{day}")["data"]) == 48
    assert len(r.get(f"/intensity/date/{day}/3")["data"]) == 1
    assert r.raw(f"/intensity/{minute(now)}/{minute(now + timedelta(days=15))}")[0] == 400
    # The national forecast is the mean of the regional ones.
    regional = regional_values(r.get(f"/regional/intensity/{minute(now)}/fw48h")["data"])
    for w in r.get(f"/intensity/{minute(now)}/fw48h")["data"][1:]:
        mean = sum(regional[parse(w["from"]), i] for i in range(1, 15)) / 14
        assert abs(w["intensity"]["forecast"] - mean) <= 0.5


def test_past_is_recorded(replay: Callable[..., Replay]) -> None:
    r = replay(*started(20))
    now = slot_of(utc_now())
    rows = recorded()
    order = r.get("/_replay/truth")["regions"]
    for w in r.get(f"/regional/intensity/{minute(now)}/pt24h")["data"]:
        slot = int((parse(w["from"]) - (now - timedelta(hours=20))) / SLOT)
        for x in w["regions"][:14]:
            assert x["intensity"]["forecast"] == order[x["regionid"] - 1]["carbon"][slot]
    assert [region["carbon"][7] for region in order] == rows[7]


def test_forecast_errors_by_lead(replay: Callable[..., Replay]) -> None:
    """Mean absolute error 21, 25, 32, 39 g/kWh by half day of lead; smooth, and steady from issue to issue."""
    rows = recorded()
    errors: list[list[float]] = [[] for _ in range(4)]
    steps, moves = [], []
    earlier: dict[tuple[int, int], int] = {}
    for issue in [0, 1, *range(6, 144, 6)]:
        r = replay("--seed", "3", *started(issue / 2))
        now = slot_of(utc_now())
        values = regional_values(r.get(f"/regional/intensity/{minute(now)}/fw48h")["data"])
        r.program.terminate()
        error: dict[tuple[int, int], int] = {}
        for (start, region), value in values.items():
            lead = int((start - now) / SLOT)
            if region > 14 or lead < 0:
                continue
            error[issue + lead, region] = value - rows[issue + lead][region - 1]
            errors[min(lead // 24, 3)].append(abs(error[issue + lead, region]))
        for (t, g), e in error.items():
            if (t + 1, g) in error and rows[t][g - 1] > 60:
                steps.append(abs(e - error[t + 1, g]))
        if issue == 1:
            moves = [abs(e - earlier[key]) for key, e in error.items() if key in earlier]
        earlier = error
    means = [sum(e) / len(e) for e in errors]
    for mean, target in zip(means, (21, 25, 32, 39), strict=True):
        assert abs(mean - target) < 0.12 * target, means
    assert means == sorted(means)
    # Neighbouring slots and consecutive issues differ by far less than the error itself.
    assert sum(steps) / len(steps) < 12
    assert 0 < sum(moves) / len(moves) < 8


def test_same_seed_same_forecast(replay: Callable[..., Replay]) -> None:
    def forecast(*arguments: str) -> list[int]:
        r = replay(*arguments)
        now = slot_of(utc_now())
        body = r.get(f"/regional/intensity/{minute(now)}/fw48h/regionid/8")["data"]["data"]
        again = r.get(f"/regional/intensity/{minute(now)}/fw48h/regionid/8")["data"]["data"]
        assert body == again
        return [w["intensity"]["forecast"] for w in body]

    one = forecast("--seed", "1", *started(5))
    assert one == forecast("--seed", "1", *started(5))
    assert one != forecast("--seed", "2", *started(5))
    # Shifted in real time, the same issue of the recording is the same forecast.
    moment = slot_of(utc_now()) + timedelta(days=100, minutes=3)
    r = replay("--seed", "1", *at(moment), "--start", rfc3339(slot_of(moment) - timedelta(hours=5)))
    shifted = r.get(f"/regional/intensity/{minute(slot_of(moment))}/fw48h/regionid/8")["data"]["data"]
    assert one == [w["intensity"]["forecast"] for w in shifted]


def test_horizon_shortens(replay: Callable[..., Replay]) -> None:
    now = slot_of(utc_now())
    r = replay(*started(60))
    assert len(r.get(f"/regional/intensity/{minute(now)}/fw48h")["data"]) == 1 + 24
    r = replay(*started(73))
    assert r.get(f"/regional/intensity/{minute(now)}/fw48h") == {"data": []}
    assert r.rates("C", f"?period_from={rfc3339(now)}")["results"] == []
    # Nothing before the recording either.
    r = replay("--start", rfc3339(now + timedelta(hours=3)))
    assert r.get(f"/regional/intensity/{minute(now)}/fw48h") == {"data": []}


def test_prices(replay: Callable[..., Replay]) -> None:
    # At the recording's own time of day, whatever it is outside: its windy hours are at night.
    r = replay(*at(datetime(2026, 2, 10, 3, tzinfo=UTC)), "--start", "2026-02-09T07:00:00Z")
    found = [p for p in r.get("/v1/products/?brand=OCTOPUS_ENERGY")["results"] if p["code"] == PRODUCT]
    assert len(found) == 1 and "illustrative" in found[0]["display_name"] and "illustrative" in found[0]["full_name"]
    detail = r.get(f"/v1/products/{PRODUCT}/")
    assert len(detail["single_register_electricity_tariffs"]) == 14
    truth = r.get("/_replay/truth")
    start = parse(truth["start"])
    by_letter = {x["gsp"][1]: x["price"] for x in truth["regions"]}
    for letter in "ABCDEFGHJKLMNP":
        results = r.rates(letter, "?page_size=1500")["results"]
        times = [parse(x["valid_from"]) for x in results]
        assert times == sorted(times, reverse=True) and len(set(times)) == len(times) > 20
        for x in results:
            assert x["value_exc_vat"] == by_letter[letter][int((parse(x["valid_from"]) - start) / SLOT)]
            assert abs(x["value_inc_vat"] - 1.05 * x["value_exc_vat"]) < 1e-3
            assert parse(x["valid_to"]) - parse(x["valid_from"]) == SLOT and x["payment_method"] is None
    # Windy and at night it is below zero somewhere; in the evening there is a surcharge.
    assert any(p < 0 for p in by_letter["C"])
    assert r.raw("/v1/products/AGILE-18-02-21/")[0] == 404
    assert r.raw(f"/v1/products/{PRODUCT}/electricity-tariffs/E-1R-{PRODUCT}-I/standard-unit-rates/")[0] == 404


def test_pages(replay: Callable[..., Replay]) -> None:
    r = replay(*started(30))
    whole = r.rates("A", "?page_size=1500")
    page = r.rates("A", f"?page_size=7&period_from={rfc3339(slot_of(utc_now()) - timedelta(hours=30))}")
    rows, pages = list(page["results"]), 1
    assert page["previous"] is None and page["count"] == whole["count"]
    while page["next"]:
        assert page["next"].startswith(r.base + "/v1/products/")
        page = r.get(page["next"].removeprefix(r.base))
        rows += page["results"]
        pages += 1
    assert rows == whole["results"] and pages == -(-whole["count"] // 7)
    rates = f"/v1/products/{PRODUCT}/electricity-tariffs/E-1R-{PRODUCT}-A/standard-unit-rates/"
    assert r.raw(f"{rates}?period_to=2026-01-01T00:00Z")[0] == 400


@pytest.mark.parametrize(
    ("local", "until"),
    [
        ("2026-01-14T15:58:00", "2026-01-14T23:00"),
        ("2026-01-14T16:01:00", "2026-01-15T23:00"),
        ("2026-07-14T15:58:00", "2026-07-14T23:00"),
        ("2026-07-14T16:01:00", "2026-07-15T23:00"),
        ("2026-07-14T23:10:00", "2026-07-15T23:00"),
        ("2026-03-28T16:01:00", "2026-03-29T23:00"),
        ("2026-10-24T16:01:00", "2026-10-25T23:00"),
    ],
)
def test_publication(replay: Callable[..., Replay], local: str, until: str) -> None:
    """A day's prices, 23:00 to 23:00 local, are there from 16:00 local of the day before."""
    moment = datetime.fromisoformat(local).replace(tzinfo=LONDON).astimezone(UTC)
    r = replay(*at(moment), "--start", rfc3339(slot_of(moment) - timedelta(hours=10)))
    newest = parse(r.rates("C")["results"][0]["valid_to"])
    assert newest == datetime.fromisoformat(until).replace(tzinfo=LONDON)


def test_requests_are_counted(replay: Callable[..., Replay]) -> None:
    r = replay()
    for _ in range(3):
        r.get("/intensity/factors")
    assert r.get("/_replay/requests")["paths"]["/intensity/factors"]["count"] == 3


def answers(r: Replay, n: int = 4) -> list[tuple[int, bytes]]:
    path = f"/regional/intensity/{minute(slot_of(utc_now()))}/fw48h"
    return [(status, body) for status, _, body in (r.raw(path) for _ in range(n))]


def test_faults_of_transport(replay: Callable[..., Replay]) -> None:
    bodies = [body for status, body in answers(replay("--fault", "11.01")) if status == 200]
    assert sorted(bodies) == sorted([b"{}", b"[]", b'{"data":[]}', b""])
    assert [status for status, _ in answers(replay("--fault", "11.02"), 3)] == [500, 502, 503]
    wiped = answers(replay(*started(5), "--fault", "11.06"))
    assert [len(body) > 1000 for _, body in wiped] == [True, False, True, False]
    status, headers, _ = replay("--fault", "11.16").raw("/intensity")
    assert status == 429 and headers["Retry-After"] == "2"
    moved = replay("--fault", "11.21")
    assert [moved.raw("/intensity")[0] for _ in range(3)] == [301, 302, 404]
    assert b"<html>" in answers(replay("--fault", "11.23"), 1)[0][1]
    with pytest.raises(TimeoutError):
        replay("--fault", "11.20").raw("/intensity", timeout=2)


def test_faults_of_carbon_data(replay: Callable[..., Replay]) -> None:
    now = slot_of(utc_now())
    path = f"/regional/intensity/{minute(now)}/fw48h"

    def values(row: str) -> list[Any]:
        windows = replay(*started(5), "--fault", row).get(path)["data"]
        return [x["intensity"]["forecast"] for w in windows for x in w["regions"]]

    good = values("11.02@octopus-agile")
    assert len(good) == 97 * 18 and all(isinstance(v, int) and 0 <= v < 1000 for v in good)
    assert len(values("11.03")) == 32 * 18
    assert 100 < values("11.07").count(None) < 500
    assert min(values("11.08")) < 0
    assert max(values("11.09")) > 40000
    assert values("11.10").count("n/a") == 36
    midnight = now.replace(hour=0, minute=0) + timedelta(days=1)
    assert len(values("11.14")) == (1 + (midnight - now) / SLOT) * 18
    assert 97 * 18 - len(values("11.26")) in (6 * 18, 5 * 18, 4 * 18, 7 * 18, 8 * 18, 9 * 18)
    drift = replay(*started(5), "--fault", "11.22")
    assert isinstance(drift.get("/regional/regionid/13")["data"], dict)
    window = drift.get(path)["data"][0]
    assert any(f["fuel"] == "tidal stream" for f in window["regions"][0]["generationmix"])


def test_faults_of_prices(replay: Callable[..., Replay]) -> None:
    # Noon of a day whose prices are long published.
    moment = datetime(2026, 1, 14, 12, 0, 30, tzinfo=UTC)
    clock = [*at(moment), "--start", rfc3339(slot_of(moment) - timedelta(hours=20))]
    good = replay(*clock).rates("C", "?page_size=1500")
    missing = replay(*clock, "--fault", "11.07@octopus-agile").rates("C", "?page_size=1500")
    assert missing["count"] == good["count"] - 2 and missing["results"] == good["results"][2:]
    assert min(x["value_exc_vat"] for x in replay(*clock, "--fault", "11.08").rates("C")["results"]) < -5
    assert any(x["value_exc_vat"] == 99999 for x in replay(*clock, "--fault", "11.09").rates("C")["results"])
    pages = replay(*clock, "--fault", "11.15")
    first = pages.rates("C")
    second = pages.get(first["next"].removeprefix(pages.base))
    assert first["results"][-1] == second["results"][0]
    evening = datetime(2026, 1, 14, 17, 0, tzinfo=UTC)
    late = replay(*at(evening), "--start", rfc3339(slot_of(evening) - timedelta(hours=20)), "--fault", "11.14")
    assert parse(late.rates("C")["results"][0]["valid_to"]) == datetime(2026, 1, 14, 23, tzinfo=UTC)


def test_faults_have_their_time(replay: Callable[..., Replay]) -> None:
    now = replay(*started(2), "--fault", "11.02@carbonintensity-gb+1h-2h")
    assert now.raw("/intensity")[0] == 500
    assert now.raw("/v1/products/")[0] == 200
    assert replay(*started(2), "--fault", "11.02+3h-2h").raw("/intensity")[0] == 200
    both = replay(*started(2), "--fault", "11.02+0h-1h", "--fault", "11.16@octopus-agile")
    assert both.raw("/intensity")[0] == 200 and both.raw("/v1/products/")[0] == 429


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "11.99"], "11.99"),
        (["--fault", "11.02@nobody"], "provider must be"),
        (["--fault", "11.02+soon"], "span must be"),
        (["--carbon", "/nonexistent"], "nonexistent"),
        (["--clock-factor", "1000"], "240"),
        (["--no-such-option"], "no-such-option"),
    ],
)
def test_bad_arguments(programs: ProcessRunner, arguments: list[str], words: str) -> None:
    result = programs.call("gridreplay", "--carbon", CSV, *arguments)
    assert result.returncode == 1 and words in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: first column"),
        ("HEADER\n", "no rows"),
        ("time,a\n", ":1: first column"),
        ("HEADER\n2023-02-09T07:00Z,1\n", ":2: 1 values"),
        ("HEADER\nthen" + ",1" * 14 + "\n", ":2: time"),
        ("HEADER\n2023-02-09T07:00Z" + ",x" * 14 + "\n", ":2: carbon"),
        ("HEADER\n2023-02-09T07:00Z" + ",1" * 14 + "\n2023-02-09T08:00Z" + ",1" * 14 + "\n", ":3: rows must follow"),
    ],
)
def test_bad_recording(programs: ProcessRunner, workdir: Any, text: str, words: str) -> None:
    file = workdir / "bad.csv"
    file.write_text(text.replace("HEADER", CSV.read_text().splitlines()[0]))
    result = programs.call("gridreplay", "--carbon", file)
    assert result.returncode == 1 and words in result.stderr, result.stderr
