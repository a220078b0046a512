# SPDX-License-Identifier: Apache-2.0
"""gridreplay: the shapes of the providers beyond carbon and Octopus, how they fit together, and what faults do."""

from __future__ import annotations

import base64
import csv
import io
import json
import socket
import subprocess
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.process import ProcessRunner
from harness.replay import CSV, SLOT, Replay, at, leave_border, parse, rfc3339, slot_of, started, utc_now

FACTORS = {"CCGT": 394, "COAL": 937, "NUCLEAR": 0, "NPSHYD": 0, "WIND": 0, "OIL": 935, "OCGT": 651, "OTHER": 300}
ELEXON = "/bmrs/api/v1"
REGIONAL = "c16b0e19-c02a-44a8-ba05-4db2c0545a2a"


@pytest.fixture
def replay(programs: ProcessRunner) -> Callable[..., Replay]:
    return lambda *arguments: Replay(programs, *arguments)


@pytest.fixture(autouse=True)
def not_at_a_border() -> None:
    """The tests ask several times and mean the same half hour."""
    leave_border()


def national(r: Replay) -> tuple[datetime, list[float]]:
    truth = r.get("/_replay/truth")
    return parse(truth["start"]), truth["national"]


def download(r: Replay, file: str) -> list[dict[str, str]]:
    status, headers, _ = r.raw(f"/dataset/some-package/resource/{REGIONAL}/download/{file}")
    assert status == 302
    where = urllib.parse.urlsplit(headers["Location"])
    assert where.hostname == "localhost" and where.port == urllib.parse.urlsplit(r.base).port
    # Only as it was signed: whoever encodes the query again is refused.
    assert r.raw(f"{where.path}?{urllib.parse.unquote(where.query)}")[0] == 403
    status, headers, body = r.raw(f"{where.path}?{where.query}")
    assert status == 200 and headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))


def test_elexon_fits_carbon(replay: Callable[..., Replay]) -> None:
    """The mix of every half hour gives back the national carbon intensity; legs, edges and steps are as they are."""
    r = replay(*started(10))
    start, truth = national(r)
    now = slot_of(utc_now())
    rows = r.get(f"{ELEXON}/datasets/FUELHH/stream?publishDateTimeFrom={rfc3339(now - timedelta(hours=8))}")
    by_time: dict[str, dict[str, int]] = {}
    for row in rows:
        by_time.setdefault(row["startTime"], {})[row["fuelType"]] = row["generation"]
    assert len(by_time) == 16
    for text, mix in by_time.items():
        assert mix["INTIRL"] < 0 and mix["PS"] < 0
        used = {fuel: mw for fuel, mw in mix.items() if mw > 0}
        computed = sum(FACTORS[fuel] * mw for fuel, mw in used.items()) / sum(used.values())
        assert abs(computed - truth[int((parse(text) - start) / SLOT)]) < 2
    mid = r.get(f"{ELEXON}/balancing/pricing/market-index?from={rfc3339(now - timedelta(hours=3))}&to={rfc3339(now)}")
    live = [x for x in mid["data"] if x["dataProvider"] == "APXMIDP"]
    dead = [x for x in mid["data"] if x["dataProvider"] == "N2EXMIDP"]
    assert len(live) == len(dead) == 7  # `to` is included
    assert all(x["price"] == x["volume"] == 0 for x in dead) and all(x["volume"] > 0 for x in live)
    day = (now - timedelta(hours=1)).date()
    prices = r.get(f"{ELEXON}/balancing/settlement/system-prices/{day}")["data"]
    assert all(x["systemSellPrice"] == x["systemBuyPrice"] and parse(x["startTime"]) < now for x in prices)
    demand = r.get(f"{ELEXON}/demand/outturn")["data"]
    ahead = r.get(f"{ELEXON}/forecast/demand/day-ahead/latest")["data"]
    assert parse(demand[-1]["startTime"]) + SLOT == now == parse(ahead[0]["startTime"])
    assert all(20000 < x["nationalDemand"] < 40000 for x in ahead) and len(ahead) == 96
    assert r.get(f"{ELEXON}/datasets/INDO")["data"][-1]["demand"] == demand[-1]["initialDemandOutturn"]
    wind = r.get(f"{ELEXON}/datasets/WINDFOR")["data"]
    assert parse(wind[1]["startTime"]) - parse(wind[0]["startTime"]) == timedelta(hours=1)
    risk = r.get(f"{ELEXON}/datasets/LOLPDRM")["data"]
    assert all(0 < x["lossOfLoadProbability"] < 0.1 and x["deratedMargin"] > 0 for x in risk)
    hertz = r.get(f"{ELEXON}/datasets/FREQ")["data"]
    assert len(hertz) > 200 and all(49.9 < x["frequency"] < 50.1 for x in hertz)
    assert r.raw(f"{ELEXON}/datasets/NOPE")[0] == 404


@pytest.mark.parametrize(
    ("date", "periods"), [("2026-03-29", 46), ("2026-10-25", 50), ("2026-06-30", 48), ("2026-01-14", 48)]
)
def test_settlement_days(replay: Callable[..., Replay], date: str, periods: int) -> None:
    """SP 1 is local midnight, and the days of the clock change have 46 and 50 periods."""
    noon = datetime.fromisoformat(f"{date}T12:00:30+00:00") + timedelta(days=1)
    r = replay(*at(noon), "--start", rfc3339(slot_of(noon) - timedelta(hours=48)))
    rows = r.get(f"{ELEXON}/balancing/settlement/system-prices/{date}")["data"]
    assert sorted(x["settlementPeriod"] for x in rows) == list(range(1, periods + 1))
    times = sorted(parse(x["startTime"]) for x in rows)
    assert times[-1] - times[0] == (periods - 1) * SLOT
    wrong = replay(*at(noon), "--start", rfc3339(slot_of(noon) - timedelta(hours=48)), "--fault", "11.12@elexon")
    shifted = wrong.get(f"{ELEXON}/balancing/settlement/system-prices/{date}")["data"]
    assert len({x["startTime"] for x in shifted}) < len(shifted) == 48


def test_neso(replay: Callable[..., Replay]) -> None:
    r = replay(*started(10))
    truth = r.get("/_replay/truth")
    start = parse(truth["start"])
    shown = r.get("/api/3/action/package_show?id=regional-carbon-intensity-forecast")["result"]["resources"]
    assert [x["name"] for x in shown] == ["Archive", "Regional Carbon Intensity Forecast"]
    assert shown[1]["url"].startswith(r.base + "/dataset/")
    rows = download(r, "regional_carbon_intensity.csv")
    for i, row in enumerate(rows[:20]):
        assert row["datetime"] == (start + i * SLOT).strftime("%Y-%m-%dT%H:%M:%S")
        assert int(row["London"]) == truth["regions"][12]["carbon"][i]
    assert len(rows) > 100 and "" not in rows[-1].values()
    embedded = download(r, "embedded_forecast.csv")
    first = datetime.fromisoformat(embedded[0]["DATE_GMT"][:10] + "T" + embedded[0]["TIME_GMT"] + "+00:00")
    assert first == start + SLOT  # the period's end
    page = r.get(f"/api/3/action/datastore_search?resource_id={REGIONAL}&limit=3&offset=4")["result"]
    assert page["total"] == len(rows) and [x["_id"] for x in page["records"]] == [5, 6, 7]
    for file in ("national_carbon_intensity", "demanddata", "ng-demand-14da-hh", "dfs_utilisation", "results_summary"):
        assert len(download(r, f"{file}.csv")) > 1
    assert r.get("/api/3/action/package_show?id=eac-auction-results")["success"] is True
    status, _, body = r.raw("/api/3/action/package_show?id=nothing")
    assert status == 404 and json.loads(body)["success"] is False


def test_others(replay: Callable[..., Replay]) -> None:
    r = replay(*started(10))
    start, truth = national(r)
    now = slot_of(utc_now())

    def value(when: datetime) -> float:
        return truth[int((when - start) / SLOT)]

    pv = r.get(f"/pvlive/api/v4/gsp/0?start={rfc3339(now - timedelta(hours=5))}&end={rfc3339(now)}")
    assert pv["meta"] == ["gsp_id", "datetime_gmt", "generation_mw"] and len(pv["data"]) == 11
    assert parse(pv["data"][0][1]) == now
    history = r.get("/v3/carbon-intensity/history?zone=GB")["history"]
    for x in history[:5]:
        assert abs(x["carbonIntensity"] - 1.15 * value(parse(x["datetime"]))) <= 1
    assert history[-1]["isEstimated"] and not history[0]["isEstimated"]
    assert len(r.get("/v3/carbon-intensity/forecast?zone=DE")["forecast"]) >= 48
    assert "wind" in r.get("/v3/power-breakdown/latest?zone=DE")["powerConsumptionBreakdown"]
    forecast = r.get("/emissions/forecasts/current?location=uksouth")[0]["forecastData"]
    assert len(forecast) == 288 and forecast[0]["duration"] == 5
    assert "rating" in r.get("/emissions/bylocation?location=uksouth")[0]
    charts = r.get("/price?bzn=DE-LU")
    assert len(charts["unix_seconds"]) == len(charts["price"]) > 96 and charts["unit"] == "EUR / MWh"
    eia = r.get("/v2/electricity/rto/fuel-type-data/data/?facets[respondent][]=CISO&length=7")["response"]
    assert len(eia["data"]) == 7 and int(eia["total"]) > 30 and isinstance(eia["data"][0]["value"], str)
    weather = r.get("/v1/forecast?latitude=51.5&longitude=0&hourly=temperature_2m,wind_speed_10m")["hourly"]
    assert len(weather["time"]) == len(weather["temperature_2m"]) == len(weather["wind_speed_10m"])
    met = r.get("/sitespecific/v0/point/hourly?latitude=51&longitude=0")["features"][0]["properties"]["timeSeries"]
    assert "screenTemperature" in met[0]
    rows = list(csv.reader(io.StringIO(r.raw("/files/carbon.csv")[2].decode())))
    assert rows[0] == ["time", "value"] and abs(float(rows[1][1]) - value(parse(rows[1][0]))) < 0.01
    assert len(r.get("/files/price.json")["data"]) > 90
    span = f"start={now.timestamp() - 7200}&end={now.timestamp()}&step=1800"
    matrix = r.get(f"/api/v1/query_range?query=grid_carbon&{span}")
    assert len(matrix["data"]["result"][0]["values"]) == 5
    for path in ("/files/nothing.csv", "/api/3/other", "/v3/carbon-intensity/nope", "/pvlive/api/v4/nope"):
        assert r.raw(path)[0] == 404


def positions(r: Replay, query: str) -> list[tuple[str, list[int]]]:
    status, headers, body = r.raw(f"/api?{query}")
    assert status == 200 and headers["Content-Type"].startswith("text/xml")
    root = ET.fromstring(body)
    space = {"": root.tag[1:].partition("}")[0]}
    number = "classificationSequence_AttributeInstanceComponent.position"
    return [
        (s.findtext(number, "", space), [int(p.text or 0) for p in s.findall("Period/Point/position", space)])
        for s in root.findall("TimeSeries", space)
    ]


def test_entsoe(replay: Callable[..., Replay]) -> None:
    now = slot_of(utc_now())
    span = f"periodStart={now:%Y%m%d%H}00&periodEnd={now + timedelta(hours=24):%Y%m%d%H}00"
    query = f"documentType=A44&in_Domain=10YBE----------2&{span}&securityToken=key"
    hourly = positions(replay(*started(10)), query)
    assert [s for s, _ in hourly] == ["2", "1"] and hourly[0][1] == list(range(1, 25))
    # Quarters whose price repeats are left out.
    quarters = positions(replay(*started(10), "--fault", "11.13"), query)
    assert max(quarters[0][1]) > 90 and len(quarters[0][1]) < 60
    r = replay(*started(10))
    assert b"<code>999</code>" in r.raw(f"/api?documentType=A44&in_Domain=10YGB----------A&{span}")[2]
    back = f"periodStart={now - timedelta(hours=6):%Y%m%d%H}00&periodEnd={now:%Y%m%d%H}00"
    assert len(positions(r, f"documentType=A75&in_Domain=10YBE----------2&{back}")) == 6


def test_watttime_tokens(replay: Callable[..., Replay]) -> None:
    """Basic login, bearer tokens that age in domain time; 3 min under fault 18."""
    r = replay("--clock-factor", "240", *started(10))
    assert r.raw("/login")[0] == 403 and r.raw("/v3/forecast?region=UK")[0] == 401

    def ask(path: str, authorization: str) -> tuple[int, Any]:
        command = ["curl", "-s", "-w", "%{http_code}", "-H", f"Authorization: {authorization}", r.base + path]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return int(text[-3:]), json.loads(text[:-3])

    basic = "Basic " + base64.b64encode(b"user:word").decode()
    token = ask("/login", basic)[1]["token"]
    status, body = ask("/v3/forecast?region=UK&horizon_hours=24", f"Bearer {token}")
    assert status == 200 and body["meta"]["units"] == "lbs_co2_per_mwh" and len(body["data"]) == 288
    assert r.faults("11.18@watttime") == ""
    token = ask("/login", basic)[1]["token"]
    assert ask("/v3/forecast?region=UK", f"Bearer {token}")[0] == 200
    time.sleep(1)
    assert ask("/v3/forecast?region=UK", f"Bearer {token}")[0] == 401


def test_faults_of_values(replay: Callable[..., Replay]) -> None:
    """Rows that lie in values and times do to every provider what they say."""
    r = replay(*started(10))
    path = "/files/carbon.json"

    def values(fault: str) -> list[Any]:
        assert r.faults(fault) == ""
        return [x["value"] for x in r.get(path)["data"]]

    good = values("")
    assert len(good) == 116 and all(0 <= v < 500 for v in good)
    assert len(values("11.03")) == 20 + 31
    assert min(values("11.04")) >= 40000
    assert 10 < values("11.07").count(None) < 20
    assert values("11.08").count(-13) > 20
    assert max(values("11.09")) > 40000
    assert values("11.10").count("n/a") == 4
    assert len(set(values("11.11"))) == 1
    assert len(values("11.14")) < 100
    assert len(values("11.17")) == 20
    assert all(isinstance(v, str) for v in values("11.22"))
    assert 116 - len(values("11.26")) in (3, 6, 9)
    assert r.faults("11.12@generic") == ""
    times = [x["time"] for x in r.get(path)["data"]]
    assert len(set(times)) < len(times)
    assert r.faults("11.13") == ""
    assert len(r.get(path)["data"]) > 200
    assert r.faults("11.24@generic") == ""
    assert all(parse(x["time"]) < utc_now() - timedelta(days=4) for x in r.get(path)["data"])
    assert r.faults("11.25") == ""
    rows = r.get(f"{ELEXON}/datasets/FUELHH")["data"]
    assert all(x["generation"] == 0 for x in rows if x["fuelType"] in ("CCGT", "NUCLEAR"))
    assert r.faults("11.28") == ""
    assert r.get("/v3/carbon-intensity/latest?zone=DE")["zone"] != "DE"
    assert r.get("/price?bzn=DE-LU")["unit"] != "EUR / MWh"


def test_faults_of_answers(replay: Callable[..., Replay]) -> None:
    r = replay(*started(10), "--fault", "11.05@elexon", "--fault", "11.27,11.18@eia")
    status, headers, body = r.raw(f"{ELEXON}/datasets/INDO")
    assert (status, body) == (200, b"") and "604800" in headers["Cache-Control"]
    assert r.raw("/api/3/action/package_show?id=daily-demand-update")[0] == 500
    assert r.raw(f"/api/3/action/datastore_search?resource_id={REGIONAL}")[0] == 200
    assert r.raw("/v2/electricity/rto/region-data/data/")[0] == 401
    assert "--tls-cert" in r.faults("11.19")
    assert "after '/'" in r.faults("11.20/fast")
    assert r.raw("/price")[0] == 200


@pytest.mark.parametrize(("name", "code"), [("hold", 28), ("drip", 28), ("endless", 28), ("cut", 18), ("large", 63)])
def test_false_connections(replay: Callable[..., Replay], name: str, code: int) -> None:
    """curl's words for it: 18 cut short, 28 timed out, 63 more than allowed."""
    r = replay("--fault", f"11.20/{name}@energy-charts")
    command = ["curl", "-s", "-m", "2", "--max-filesize", "4194304", "-o", "/dev/null", f"{r.base}/price?bzn=DE-LU"]
    assert subprocess.run(command, check=False).returncode == code
    assert r.get("/_replay/requests")["providers"]["energy-charts"] == 1
    assert r.raw("/files/price.csv")[0] == 200


def test_request_log(replay: Callable[..., Replay], workdir: Path) -> None:
    log = workdir / "requests.json"
    r = replay("--request-log", str(log), "--fault", "11.02@elexon")
    r.raw("/api?documentType=A44&securityToken=hidden&in_Domain=x")
    r.raw(f"{ELEXON}/datasets/FREQ")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(x["provider"], x["status"], x["faults"]) for x in lines] == [("entsoe", 200, []), ("elexon", 500, [2])]
    assert "hidden" not in log.read_text() and "securityToken" in lines[0]["query"]
    counts = r.get("/_replay/requests")
    assert counts["providers"]["elexon"] == 1 and counts["paths"]["/api"]["count"] == 1


def certificate(directory: Path, name: str, *options: str) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(directory / f"{name}.key"), "-out", str(directory / f"{name}.pem")]
    subprocess.run([*command, *files, "-subj", f"/CN={name}", *options], check=True, capture_output=True)


def test_tls(programs: ProcessRunner, workdir: Path) -> None:
    """https with a certificate that may be swapped for another while it serves."""
    certificate(workdir, "good", "-days", "2", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    certificate(workdir, "other", "-days", "2", "-addext", "subjectAltName=DNS:elsewhere.example")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    live = [workdir / "live.pem", workdir / "live.key"]

    def use(name: str) -> None:
        for target, suffix in zip(live, ("pem", "key"), strict=True):
            target.write_bytes((workdir / f"{name}.{suffix}").read_bytes())

    def ask(name: str) -> int:
        command = ["curl", "-s", "-o", "/dev/null", "--cacert", str(workdir / f"{name}.pem")]
        command.append(f"https://127.0.0.1:{port}/price")
        return subprocess.run(command, check=False).returncode

    use("good")
    programs.start(
        "gridreplay", "--port", str(port), "--carbon", CSV, "--tls-cert", str(live[0]), "--tls-key", str(live[1])
    )
    end = time.monotonic() + 10
    while ask("good") != 0:
        assert time.monotonic() < end
        time.sleep(0.1)
    use("other")
    while ask("other") != 60:  # the peer's certificate is not for this host
        assert time.monotonic() < end + 10
        time.sleep(0.2)
    refused = programs.call(
        "gridreplay", "--carbon", CSV, "--tls-cert", str(live[0]), "--tls-key", str(live[1]), "--fault", "11.20"
    )
    assert refused.returncode == 1 and "--tls-cert" in refused.stderr
