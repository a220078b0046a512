# SPDX-License-Identifier: Apache-2.0
"""Three recorded days with 500 jobs that pause, move and scale."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cluster import ControlPlane
from harness.grid import fresh_clock
from harness.pause_day import run_days
from harness.process import ProcessRunner


@pytest.mark.timeout(2400)
def test_three_days(private_cluster: Callable[..., ControlPlane], programs: ProcessRunner) -> None:
    """Eighteen real minutes."""
    total = run_days(private_cluster(), programs, fresh_clock(), jobs=500, hours=72, seed=2)
    assert total["pause"] >= 200 and total["move"] >= 20, total
