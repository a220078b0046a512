# SPDX-License-Identifier: Apache-2.0
"""make demo GRID=live: the same programs with the providers as they are now, in real time, for a few minutes."""

from __future__ import annotations

import http.client
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from cluster import ClusterError
from demo_grid import SHOWN, section
from demo_story import POLL, Story, finished, happened
from demo_world import BUILD, GRIDREGIONS, NAMESPACE, REGIONS, ROOT, World

JOBS = ROOT / "demo" / "live"
DEFERRED, MOVED, AT_ONCE = "overnight-batch", "anywhere-batch", "right-away"
FIRST = "https://api.carbonintensity.org.uk"  # the provider without which there is no regional carbon
ENOUGH = 75.0  # seconds: NESO's portal may be asked twice a minute, so what is not urgent takes that long


def reachable(base: str) -> None:
    """Raise unless the first provider, or what stands in for it, answers."""
    try:
        with urllib.request.urlopen(f"{base}/intensity", timeout=10):
            return
    except urllib.error.HTTPError:
        return  # whoever answers, however badly, is there: what comes of that, the GridRegions say
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ClusterError(
            f"GRID=live asks real providers, but {base} cannot be reached ({reason}). It needs a network;"
            " without one, `make demo` plays recorded data."
        ) from error


def perform_live(world: World, say: Callable[[str], None]) -> list[str]:
    """The short story; gives what did not happen although it should have."""
    world.start_live()
    started = time.monotonic()
    say("operator and extender run, in real time, with what the providers say now:\n")
    say("$ kubectl get gr\n" + world.plane.kubectl("get", "gr"))
    world.submit((DEFERRED, MOVED, AT_ONCE), JOBS)
    say(f"submitted from demo/live: {DEFERRED}, which may wait for a day, {MOVED}, which may also run elsewhere,")
    say(f"and {AT_ONCE}, which has no deadline\n")
    story = Story(world, say, acts=())
    while time.monotonic() - started < ENOUGH or not settled(world):
        world.check_programs()
        if time.monotonic() - started > 3 * ENOUGH:
            break
        story.tell_news()
        time.sleep(POLL)
    show(world, say)
    return judge(world)


def settled(world: World) -> bool:
    jobs = {job["metadata"]["name"]: job for job in world.jobs()}
    return finished(jobs[AT_ONCE]) and all(happened(jobs[name], "Planned") for name in (DEFERRED, MOVED))


def show(world: World, say: Callable[[str], None]) -> None:
    kubectl = world.plane.kubectl
    summary = section(kubectl("describe", "gr", SHOWN), "Summary:")
    say(f"\nThe grid now, with what was asked less urgently:\n\n$ kubectl describe gr {SHOWN}\n...\n{summary}\n")
    say(f"$ kubectl carbon data freshness | grep -e REGION -e {SHOWN}")
    say(filtered(carbon(world, "data", "freshness"), lambda words: words[0] in ("REGION", SHOWN)))
    say("\n$ kubectl carbon data providers | awk '$2 != \"no\"'")
    say(filtered(carbon(world, "data", "providers"), lambda words: words[1] != "no"))
    say("\n$ kubectl get caj\n" + kubectl("get", "caj", "-n", NAMESPACE))
    for job in world.jobs():
        if job["metadata"]["name"] in (DEFERRED, MOVED):
            say(f"{job['metadata']['name']}: {job['status']['explanation']}")


def filtered(table: str, keep: Callable[[list[str]], bool]) -> str:
    return "\n".join(line for line in table.splitlines() if keep(line.split()))


def carbon(world: World, *arguments: str) -> str:
    """The plug-in's answer, by the operator's read API."""
    result = subprocess.run(
        [str(BUILD / "kubectl-carbon"), "--server", world.read_api, *arguments],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    if result.returncode != 0:
        raise ClusterError(f"kubectl carbon {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def judge(world: World) -> list[str]:
    wrong = []
    for region in world.list(GRIDREGIONS):
        name = region["metadata"]["name"]
        if name in REGIONS and not any(
            c["type"] == "Fresh" and c["status"] == "True" for c in region["status"].get("conditions", [])
        ):
            wrong.append(f"{name}: its carbon figures are not fresh")
    jobs = {job["metadata"]["name"]: job for job in world.jobs()}
    if not happened(jobs[AT_ONCE], "Complete"):
        wrong.append(f"{AT_ONCE}: did not complete")
    wrong += [f"{name}: was not planned" for name in (DEFERRED, MOVED) if not happened(jobs[name], "Planned")]
    return wrong
