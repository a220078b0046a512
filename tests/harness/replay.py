# SPDX-License-Identifier: Apache-2.0
"""A running gridreplay, and the times that its tests talk in."""

from __future__ import annotations

import csv
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from cluster import free_port
from harness.process import ROOT, ProcessRunner

CSV = ROOT / "demo" / "gb_regional_carbon_2023-02-09_3days.csv"
SLOT = timedelta(minutes=30)
PRODUCT = "AGILE-ILLUSTRATIVE-26-01-01"


def recorded() -> list[list[int]]:
    """Rows of the recording, 14 regions each."""
    with CSV.open() as file:
        return [[int(v) for v in row[1:]] for row in list(csv.reader(file))[1:]]


def slot_of(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 30 * 30, second=0, microsecond=0)


def utc_now() -> datetime:
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text)


class Replay:
    """A running gridreplay."""

    def __init__(self, programs: ProcessRunner, *arguments: str) -> None:
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.program = programs.start(
            "gridreplay", "--port", str(port), "--carbon", CSV, *arguments, ready=f"{self.base}/_replay/requests"
        )

    def raw(self, path: str, timeout: float = 20) -> tuple[int, dict[str, str], bytes]:
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: Any) -> None:
                return None

        try:
            with urllib.request.build_opener(Stay).open(self.base + path, timeout=timeout) as reply:
                return reply.status, dict(reply.headers), reply.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def get(self, path: str) -> Any:
        status, _, body = self.raw(path)
        assert status == 200, body[:300]
        return json.loads(body)

    def rates(self, letter: str, query: str = "") -> Any:
        tariff = f"E-1R-{PRODUCT}-{letter}"
        return self.get(f"/v1/products/{PRODUCT}/electricity-tariffs/{tariff}/standard-unit-rates/{query}")

    def faults(self, text: str) -> str:
        """Other faults from now on, as --fault takes them; gives the error's text, "" when they were taken."""
        request = urllib.request.Request(f"{self.base}/_replay/faults", text.encode(), method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=20):
                return ""
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def now(self) -> datetime:
        return parse(self.get("/_replay/requests")["now"])


def at(moment: datetime, factor: int = 2) -> list[str]:
    """Arguments that make the domain clock show that time now, running not much faster."""
    real = time.time()
    origin = (factor * real - moment.timestamp()) / (factor - 1)
    return ["--clock-origin", rfc3339(datetime.fromtimestamp(origin, UTC)), "--clock-factor", str(factor)]


def started(hours: float) -> list[str]:
    """The recording began so many hours ago."""
    return ["--start", rfc3339(slot_of(utc_now()) - timedelta(hours=hours))]


def leave_border() -> None:
    """Waits while a half hour is about to end: what is asked several times should mean the same one."""
    left = 1800 - time.time() % 1800
    if left < 20:
        time.sleep(left + 0.5)
