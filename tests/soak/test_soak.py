# SPDX-License-Identifier: Apache-2.0
"""The long versions: a day of garbage from the providers, and many more random histories and fuzz inputs.

Run by `make soak`, never by CI. SOAK_MINUTES (default 10) is the length of each part.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import ControlPlane
from harness.grid_faults import FORECASTS, TABLE
from harness.grid_lane import Lane
from harness.process import BUILD, ROOT, ProcessRunner
from harness.waiting import wait_for

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


@pytest.mark.timeout(MINUTES * 60 + 600)
def test_garbage_for_a_day(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner, workdir: Path
) -> None:
    """Every row of faults in turn, for all providers at once: the last good data stay, and memory stays flat."""
    lane = Lane(private_cluster(), programs, workdir / "lane")
    lane.start()

    def is_well() -> bool:
        return all(lane.fresh(name) == "UpToDate" for name in FORECASTS)

    wait_for(is_well, what="all is well", timeout=60)
    end = time.monotonic() + MINUTES * 60
    early = None
    while time.monotonic() < end:
        for row in TABLE:
            lane.faults(f"11.{row.number:02}")
            time.sleep(8)
            found = lane.regions()
            lost = [name for name in FORECASTS if not found[name]["forecast"]["carbonP50"]]
            assert not lost, (row.number, lost)
            lane.faults("")
            wait_for(is_well, what=f"all is well after row {row.number}", timeout=60)
        early = early or resident_kib(lane.operator.pid)
        lane.replay.terminate()
        lane.start_replay()
    assert early is None or resident_kib(lane.operator.pid) < early * 1.2


@pytest.mark.timeout(3600)
def test_rows_can_fail() -> None:
    """Every row of faults fails once its handling is taken away."""
    result = subprocess.run(["hack/run-mutations", "all"], cwd=ROOT, env={**os.environ, "LOADSHIFT_BUILD": str(BUILD)},
                            capture_output=True, text=True, check=False)  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.timeout(MINUTES * 60 + 600)
def test_many_more_histories() -> None:
    """The life cycle's random histories, far beyond those of the unit test."""
    program = BUILD / "unit" / "lifecycle_test"
    histories = str(int(MINUTES * 60_000))
    result = subprocess.run(
        [program], env={**os.environ, "LIFECYCLE_HISTORIES": histories}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
