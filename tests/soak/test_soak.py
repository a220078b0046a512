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
from harness.process import BUILD, ROOT, ProcessRunner
from harness.world import World, is_fresh

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
FAULTS = ("11.01", "11.02", "11.03", "11.06", "11.07", "11.08", "11.09", "11.10", "11.14", "11.15", "11.16", "11.21",
          "11.22", "11.23", "11.26")  # fmt: skip


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


@pytest.mark.timeout(MINUTES * 60 + 300)
def test_garbage_for_a_day(private_cluster: Callable[..., ControlPlane], programs: ProcessRunner) -> None:
    """Every fault in turn, again and again: last good data stay, memory stays flat, and it recovers by itself."""
    plane = private_cluster()
    plane.kubectl("apply", "-f", str(ROOT / "manifests" / "gridregions-gb.yaml"))
    world = World(plane, programs, factor=240)
    replay = world.replay()
    operator = world.operator()
    world.wait_all("is fresh", is_fresh)
    end = time.monotonic() + MINUTES * 60
    early = None
    while time.monotonic() < end:
        for fault in FAULTS:
            replay.terminate()
            replay = world.replay("--fault", fault)
            time.sleep(8)
            lost = [name for name, status in world.regions().items() if not status["forecast"]["carbonP50"]]
            assert not lost, (fault, lost)
        early = early or resident_kib(operator.pid)
    replay.terminate()
    world.replay()
    world.wait_all("has recovered", is_fresh, timeout=60)
    assert early is None or resident_kib(operator.pid) < early * 1.2


@pytest.mark.timeout(MINUTES * 60 + 600)
def test_many_more_histories() -> None:
    """The life cycle's random histories, far beyond those of the unit test."""
    program = BUILD / "unit" / "lifecycle_test"
    histories = str(int(MINUTES * 60_000))
    result = subprocess.run(
        [program], env={**os.environ, "LIFECYCLE_HISTORIES": histories}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
