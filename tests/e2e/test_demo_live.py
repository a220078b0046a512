# SPDX-License-Identifier: Apache-2.0
"""make demo GRID=live: refused where nobody answers; else in real time, here with gridreplay in the providers' place."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import free_port
from demo_world import RECORDING
from e2e.test_demo import DEMO, left_running
from harness.process import ProcessRunner

pytestmark = pytest.mark.timeout(400)


def play(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEMO), "--grid", "live", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=380, check=False,
    )  # fmt: skip


def test_without_a_network_it_says_what_to_do(workdir: Path) -> None:
    result = play("--grid-server", f"http://127.0.0.1:{free_port()}", "--output", str(workdir / "demo"))
    assert result.returncode == 1
    assert "cannot be reached" in result.stdout and "without one, `make demo`" in result.stdout
    assert "Traceback" not in result.stdout and not (workdir / "demo").exists()


def test_shows_what_the_providers_say_now(workdir: Path, programs: ProcessRunner) -> None:
    port = free_port()
    start = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=6)
    programs.start(
        "gridreplay",
        "--port", str(port), "--start", start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "--carbon", str(RECORDING), "--download-host", "127.0.0.1",
        ready=f"http://127.0.0.1:{port}/_replay/requests",
    )  # fmt: skip
    directory = workdir / "demo"
    result = play("--grid-server", f"http://127.0.0.1:{port}", "--output", str(directory))
    assert result.returncode == 0, result.stdout[-6000:]
    today = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    words = ("right-away        Completed:", "overnight-batch: ", "first source", "Stress:", "elexon", "pv-live", today)
    assert [word for word in words if word not in result.stdout] == []
    assert left_running(directory) == []
