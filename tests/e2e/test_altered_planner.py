# SPDX-License-Identifier: Apache-2.0
"""The brute force notices a wrong planner: real operators, each built with one line of pkg/planner changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo_story import ACTS, POWER_LIMIT
from demo_world import CAJS, GRIDREGIONS, NAMESPACE, START, World, parse_time
from e2e.brute_force import Bodies, Clock, Log, Replay, read_log
from harness.process import BUILD, ROOT
from harness.waiting import wait_for

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Alteration:
    file: str
    right: str
    wrong: str


ALTERATIONS = {
    "noise": Alteration("objective.c", "s->noise += w[i] * error[i] / scale[i];", "s->noise += 0 * w[i] * error[i];"),
    "sign": Alteration("objective.c", "s->k[i] = w[i] / (scale[i]", "s->k[i] = -w[i] / (scale[i]"),
    "spread": Alteration("choose.c", "MIN(at_ms + s->job->spread_ms, s->latest_ms)", "MIN(at_ms, s->latest_ms)"),
    "power": Alteration("choose.c", "if (!s->scarce || (hard_only", "if (!s->scarce || true || (hard_only"),
}


def build_altered(alteration: Alteration, into: Path) -> Path:
    """The operator, built from a copy of the tree with the alteration; objects of unchanged files are taken over."""
    into.mkdir()
    for name in ("pkg", "cmd", "Makefile", "hack"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, into / name)
    build = into / "build"
    shutil.copytree(BUILD / "obj", build / "obj")
    file = into / "pkg" / "planner" / alteration.file
    text = file.read_text()
    assert text.count(alteration.right) == 1, f"{alteration.file} no longer says: {alteration.right}"
    file.write_text(text.replace(alteration.right, alteration.wrong))
    made = subprocess.run(
        ["make", "-s", f"B={build}", str(build / "operator")],
        cwd=into, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout
    return build / "operator"


@pytest.fixture(scope="module")
def world(run_directory: Path) -> Iterator[World]:
    """The demo's world without an operator."""
    directory = run_directory / "altered"
    directory.mkdir()
    with World(directory, print) as made:
        made.limit_power(*POWER_LIMIT)
        made.start_grid()
        yield made


def first_choices(world: World, operator: Path) -> list[str]:
    """What the brute force has against the first plans of that operator for the demo's first jobs."""
    names = [act.name for act in ACTS if parse_time(act.at) < START + 3600]
    log_file = world.start_operator(operator)
    skip = len(log_file.read_text().splitlines())
    world.submit(names)

    def read() -> Log:
        return read_log(log_file.read_text().splitlines()[skip:])

    wait_for(lambda: len({d.job for d in read().decisions}) == len(names), 20, what="every job is planned")
    jobs = world.jobs()
    world.stop("operator")
    log = read()
    clock = Clock(world.clock.origin * 1000, world.clock.factor)
    bodies = Bodies(json.loads(line) for line in world.bodies.read_text().splitlines())
    replay = Replay(bodies, jobs, world.list(GRIDREGIONS), world.list("/api/v1/nodes"), log, clock)
    complaints = list(replay.check())
    forget_jobs(world)
    return complaints


def forget_jobs(world: World) -> None:
    """The Jobs too: the garbage collector learns of new kinds of owners only twice a minute."""
    jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    world.plane.expect("DELETE", CAJS.format(NAMESPACE))
    world.plane.expect("DELETE", jobs, {"propagationPolicy": "Background"})
    wait_for(lambda: not world.jobs() and not world.list(jobs), 30, what="the jobs are gone")


def test_the_real_one_passes(world: World) -> None:
    assert first_choices(world, BUILD / "operator") == []


@pytest.mark.parametrize("name", ALTERATIONS)
def test_altered_one_is_noticed(world: World, workdir: Path, name: str) -> None:
    complaints = first_choices(world, build_altered(ALTERATIONS[name], workdir / name))
    print(*complaints, sep="\n")
    assert complaints
