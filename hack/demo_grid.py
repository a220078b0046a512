# SPDX-License-Identifier: Apache-2.0
"""Where the demo's regions have their carbon figures from, told when it changes, from nothing but their GridRegions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from demo_table import clock_time
from demo_world import GRIDREGIONS, OUTAGE, REGIONS, World, rfc3339

Object = Mapping[str, Any]
SHOWN = "london"  # the region whose own words are told
SAMPLE = (SHOWN, "north-scotland", "yorkshire")


@dataclass(frozen=True)
class Rest:
    """What a region's carbon figures rest on."""

    provider: str
    confidence: int  # per mille
    reason: str  # of Degraded, whether True or False
    comparable: bool


def rest_of(region: Object) -> Rest:
    status = region.get("status", {})
    source = next((s for s in status.get("sources", []) if s["metric"] == "carbon"), {})
    return Rest(
        source.get("provider", "-"),
        status.get("confidencePerMille", 0),
        condition(region, "Degraded").get("reason", "-"),
        condition(region, "PlaceShiftDisabled").get("status") == "False",
    )


def condition(region: Object, kind: str) -> Object:
    return next((c for c in region.get("status", {}).get("conditions", []) if c["type"] == kind), {})


@dataclass
class Watch:
    """Looks at the regions with nodes; line() gets a subject and a sentence, tell() whole texts."""

    world: World
    line: Callable[[str, str], None]
    tell: Callable[[str], None]
    seen: list[tuple[float, Rest]] = field(default_factory=list)  # domain time: what all of them rest on from then on
    _told_outage: bool = False

    def look(self) -> None:
        self.tell_outage()
        regions = {r["metadata"]["name"]: r for r in self.world.list(GRIDREGIONS)}
        rests = {rest_of(regions[name]) for name in REGIONS}
        if len(rests) > 1:
            return  # they are written one after the other
        rest = rests.pop()
        if self.seen and rest == self.seen[-1][1]:
            return
        self.seen.append((self.world.clock.now(), rest))
        if len(self.seen) > 1:
            self.tell_change(rest, regions[SHOWN])

    def tell_outage(self) -> None:
        provider, begin, end = OUTAGE
        if self._told_outage or self.world.clock.now() < begin:
            return
        self._told_outage = True
        until = clock_time(rfc3339(end))
        self.line("grid data", f"{provider} answers nothing but 500, 502 and 503 from now to {until}")
        self.tell(" " * 30 + "(gridreplay's fault 11.02); what it last said counts as fresh for two hours")

    def tell_change(self, rest: Rest, shown: Object) -> None:
        degraded = condition(shown, "Degraded")
        words = f"{degraded['reason']}: {degraded['message']}"
        self.line("grid data", words)
        alike = "can still be compared" if rest.comparable else "are not ranked against each other"
        trust = f"confidence {rest.confidence / 10:g} %"
        self.tell(" " * 30 + f"all {len(REGIONS)} regions with nodes go by {rest.provider} now, {trust}; they {alike}")
        if degraded["status"] == "True":
            self.tell("\n" + self.picture() + "\n")

    def picture(self) -> str:
        """What a person would look at."""
        kubectl = self.world.plane.kubectl
        table = kubectl("get", "gr", *SAMPLE)
        summary = section(kubectl("describe", "gr", SHOWN), "Summary:")
        return f"$ kubectl get gr {' '.join(SAMPLE)}\n{table}\n$ kubectl describe gr {SHOWN}\n...\n{summary}"

    def judge(self) -> list[str]:
        """What the outage should have shown and did not."""
        provider = OUTAGE[0]
        used = [rest.provider for _, rest in self.seen]
        wrong = []
        if all(p == provider for p in used):
            wrong.append(f"grid data: no other source in the place of {provider}")
        if used and used[-1] != provider:
            wrong.append(f"grid data: {provider} is not in use again")
        return wrong

    def record(self) -> list[Object]:
        return [{"time": rfc3339(at), **asdict(rest)} for at, rest in self.seen]


def section(text: str, head: str) -> str:
    """The lines of an indented text below such a head, with it."""
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip() == head), len(lines))
    out = lines[first : first + 1]
    for line in lines[first + 1 :]:
        if indent(line) <= indent(lines[first]):
            break
        out.append(line)
    return "\n".join(out)


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())
