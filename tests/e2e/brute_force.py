# SPDX-License-Identifier: Apache-2.0
"""The planner's choices once more, by brute force, from what the providers said and the users asked for.

Shares no code with Loadshift. Inputs: the bodies that the grid data's source served (recorded on the way), the specs
of CarbonAwareJobs and GridRegions, the Nodes, and from the operator's log for each decision only its `now`, which plan
stood before, and which issue of the data had been written to each GridRegion by then (and its noise, to compare: what
less confidence does seldom turns a choice). What other jobs hold of a
region's power is taken from their plans and from when they were released and ended. Which source that issue is of,
what it said, what others fill in and how far it is trusted follows from the bodies by the chain's rules
(docs/gridregion.md), for the sources that are read here: the regional forecasts of the Carbon Intensity API and of
NESO's portal. A decision that rests on another is a complaint. The planner's rules are those of section 3 of the
project's contracts, spelt out in pkg/planner/planner.h: every start times every allowed region, the forecast
integrated slot by slot, one scale per round, noise, spread, limits, power.

    for complaint in Replay(bodies, jobs, regions, nodes, log, clock).check(): ...
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from e2e.served import SLOT, Bodies, Column, Known, Object, Source, known_of, slot_of, to_ms, to_text

CARBON_ERROR = 20_000  # mg/kWh at full confidence, until forecasts are scored
PRICE_ERROR = 0.1  # of the mean price
DEFAULT_WEIGHTS = {"carbon": 60, "cost": 30, "delay": 10, "renewable": 0}
ABOUT = 0.02  # share of the noise; regions are written one after the other, a round may see some before and some after
NEARLY = 1e-9  # objectives closer than this are equal: floating point adds them up in another order elsewhere

SIGNALS = ("carbon", "price", "renewable")


def fnv1a(text: str) -> int:
    """64-bit FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


@dataclass(frozen=True)
class Clock:
    """The affine domain clock."""

    origin_ms: int
    factor: int

    def domain(self, real_ms: int) -> int:
        return self.origin_ms + (real_ms - self.origin_ms) * self.factor


# --------------------------------------------------------------------------------------------
# What the users asked for


@dataclass
class Job:
    """One CarbonAwareJob as contracts 1 reads it."""

    key: str
    uid: str
    earliest: int
    latest: int | None  # None: not deferrable
    duration: int
    watts: int
    home: str
    regions: list[str]
    weights: Mapping[str, float]
    limits: Mapping[str, tuple[float, bool]]  # signal: value, hard?
    critical: bool
    pauses: int = 0  # at most; read for jobs that stay at home, in whole half hours, without more to ask of a pause

    @property
    def spread(self) -> int:
        return fnv1a(self.uid) % 600 * 1000 if self.latest is not None else 0

    @property
    def order(self) -> tuple[int, int, str]:
        """Critical jobs and those that cannot wait come first, then by latest start."""
        first = self.critical or self.latest is None
        return (-1 if first else self.latest or 0, self.earliest, self.uid)


def read_job(obj: Object, nodes: Iterable[Object], clock: Clock) -> Job:
    spec, metadata = obj["spec"], obj["metadata"]
    assert not {"finishBy", "suspend"} & set(spec), "not read here"
    duration = spec.get("expectedDurationSeconds", 0) * 1000
    margin = spec["safetyMarginSeconds"] * 1000 if "safetyMarginSeconds" in spec else max(600_000, duration // 10)
    earliest = clock.domain(to_ms(metadata["creationTimestamp"]))
    if "earliestStartTime" in spec:
        earliest = max(earliest, to_ms(spec["earliestStartTime"]))
    latest = None
    if "deadline" in spec:
        latest = to_ms(spec["deadline"]) - duration - margin
    elif "maxDelaySeconds" in spec:
        latest = earliest + spec["maxDelaySeconds"] * 1000
    job_spec = spec["jobTemplate"]["spec"]
    pods = min(job_spec.get("parallelism", 1), job_spec.get("completions", job_spec.get("parallelism", 1)))
    with_nodes = {node["metadata"].get("labels", {}).get("loadshift.io/region") for node in nodes}
    wanted = [spec["homeRegion"], *spec.get("relocate", {}).get("regions", [])]
    limits = {
        signal: (float(spec["limits"][name]["value"]) * unit, spec["limits"][name].get("enforcement") == "Hard")
        for signal, name, unit in (
            ("carbon", "maxCarbonGramsPerKWh", 1000),
            ("price", "maxPricePerKWh", 1_000_000),
            ("renewable", "minRenewablePercent", 10),
        )
        if name in spec.get("limits", {})
    }
    return Job(
        key=f"{metadata['namespace']}/{metadata['name']}",
        uid=metadata["uid"],
        earliest=earliest,
        latest=latest,
        duration=duration or 1,
        watts=spec["powerWattsPerPod"] * pods,
        home=spec["homeRegion"],
        regions=[r for i, r in enumerate(wanted) if r in with_nodes and r not in wanted[:i]],
        weights={**DEFAULT_WEIGHTS, **spec.get("weights", {})},
        limits=limits,
        critical=spec.get("urgency") == "Critical",
        pauses=read_pauses(spec),
    )


def read_pauses(spec: Object) -> int:
    """A part of a run lasts a slot at least whatever minRunSeconds says."""
    interrupt = spec.get("interrupt")
    if interrupt is None:
        return 0
    assert interrupt.get("minRunSeconds", 1800) <= 1800, "not read here"
    assert not interrupt.get("checkpointSeconds") and not interrupt.get("restartWattHours"), "not read here"
    assert "relocate" not in spec and "limits" not in spec and spec["expectedDurationSeconds"] % 1800 == 0
    return int(interrupt.get("maxInterruptions", 4))


# --------------------------------------------------------------------------------------------
# Contracts 3


def compositions(total: int, parts: int) -> Iterator[list[int]]:
    """All ways to write total as so many positive numbers."""
    if parts == 1:
        yield [total]
        return
    for head in range(1, total - parts + 2):
        for rest in compositions(total - head, parts - 1):
            yield [head, *rest]


def gaps_within(total: int, parts: int, least: int = 0) -> Iterator[list[int]]:
    """Slots to wait before each part, all but the first at least one, together at most so many."""
    if parts == 0:
        yield []
        return
    for gap in range(least, total - (parts - 1) + 1):
        for rest in gaps_within(total - gap, parts - 1, 1):
            yield [gap, *rest]


def integral(column: Column, start: int, end: int, stand_in: float | None = None) -> float | None:
    """Value times milliseconds from start to end; None where a slot is unknown and nothing stands in."""
    total = 0.0
    slot = slot_of(start)
    while slot < end:
        value = column.get(slot, stand_in)
        if value is None:
            return None
        total += value * (min(end, slot + SLOT) - max(start, slot))
        slot += SLOT
    return total


@dataclass
class Choice:
    """A start in a region; at: where it is compared, start: where it would start, spread."""

    objective: float
    at: int
    start: int
    region: str

    @property
    def rank(self) -> tuple[float, int]:
        return self.objective, self.at


@dataclass
class Round:
    """What all jobs of one planning round share."""

    now: int
    columns: Mapping[str, Mapping[str, Column]]  # region: signal: column
    confidence: Mapping[str, int]  # region: per mille
    jobs: Sequence[Job]
    limits: Mapping[str, tuple[int, bool]]  # region: watts, hard?
    reserved: list[tuple[str, int, int, int]] = field(default_factory=list)  # region, start, end, watts
    scales: dict[str, float] = field(default_factory=dict)
    costs: dict[tuple[int, int], float] = field(default_factory=dict)

    def scale(self, signal: str) -> float:
        """Mean |value| over the horizon in all regions that the round plans for."""
        if signal not in self.scales:
            regions = {region for job in self.jobs for region in job.regions}
            values = [abs(v) for r in regions for slot, v in self.columns[r][signal].items() if slot + SLOT > self.now]
            self.scales[signal] = sum(values) / len(values) if values else 0.0
        return self.scales[signal]

    def known_mean(self, region: str, signal: str) -> float | None:
        values = [v for slot, v in self.columns[region][signal].items() if slot + SLOT > self.now]
        return float(round(sum(values) / len(values))) if values else None

    def stand_in(self, job: Job, region: str, signal: str) -> float | None:
        """For an unknown price or renewable share: the region's mean, else the mean of the allowed regions' means."""
        own = self.known_mean(region, signal)
        if own is not None:
            return own
        others = [m for r in job.regions if (m := self.known_mean(r, signal)) is not None]
        return float(round(sum(others) / len(others))) if others else None

    def noise(self, job: Job) -> float:
        total = sum(job.weights.values())
        noise = 0.0
        if self.scale("carbon") > 0:
            error = max(CARBON_ERROR * 1000 // self.confidence[region] for region in job.regions)
            noise += job.weights["carbon"] / total * error / self.scale("carbon")
        if self.scale("price") > 0:
            noise += job.weights["cost"] / total * PRICE_ERROR
        return noise

    def objective(self, job: Job, region: str, start: int) -> float | None:
        """Contracts 3's, smaller is better; None when the run meets unknown carbon."""
        total = sum(job.weights.values())
        end = start + job.duration
        carbon = integral(self.columns[region]["carbon"], start, end)
        if carbon is None and job.weights["carbon"]:
            return None
        value = 0.0
        if self.scale("carbon") > 0 and carbon is not None:
            value += job.weights["carbon"] / total * carbon / job.duration / self.scale("carbon")
        stand_in = self.stand_in(job, region, "price")
        if self.scale("price") > 0 and stand_in is not None:
            price = integral(self.columns[region]["price"], start, end, stand_in)
            assert price is not None
            value += job.weights["cost"] / total * price / job.duration / self.scale("price")
        stand_in = self.stand_in(job, region, "renewable")
        if job.weights["renewable"] and stand_in is not None:
            share = integral(self.columns[region]["renewable"], start, end, stand_in)
            assert share is not None
            value += job.weights["renewable"] / total * (1 - share / job.duration / 1000)
        if job.latest is not None and job.latest > job.earliest:
            value += job.weights["delay"] / total * (start - job.earliest) / (job.latest - job.earliest)
        return value

    def parts_objective(self, job: Job, parts: Sequence[tuple[int, int]]) -> float:
        """The same of a run with pauses, all of it at home; every resumption takes as much as a minute of the run."""
        weight, total = job.weights, sum(job.weights.values())

        def cost(start: int, end: int) -> float:
            if (start, end) in self.costs:  # of the one job of the decision that the round is made for
                return self.costs[start, end]
            value = 0.0
            for signal, name in (("carbon", "carbon"), ("price", "cost")):
                stand_in = None if signal == "carbon" else self.stand_in(job, job.home, signal)
                known = integral(self.columns[job.home][signal], start, end, stand_in)
                if known is not None and self.scale(signal) > 0:
                    value += weight[name] / total * known / job.duration / self.scale(signal)
            self.costs[start, end] = value
            return value

        assert job.latest is not None and weight["renewable"] == 0
        resumed = sum(max(cost(s, s + SLOT), 0) * 60_000 / SLOT for s, _ in parts[1:])
        late = parts[-1][1] - job.earliest - job.duration
        delay = weight["delay"] / total * late / (job.latest - job.earliest)
        return sum(cost(start, end) for start, end in parts) + resumed + delay

    def least_in_parts(self, job: Job) -> float:
        """Of all runs with so many pauses or fewer, from border to border."""
        assert job.latest is not None
        first = slot_of(max(self.now, job.earliest) + SLOT - 1)
        last = (job.latest + job.duration - first) // SLOT
        whole = job.duration // SLOT

        def at(slot: int) -> int:
            return first + slot * SLOT

        best = float("inf")
        for parts in range(1, min(job.pauses + 1, whole) + 1):
            for lengths in compositions(whole, parts):
                for gaps in gaps_within(last - whole, parts):
                    plan, slot = [], 0
                    for gap, length in zip(gaps, lengths, strict=True):
                        slot += gap
                        plan.append((at(slot), at(slot + length)))
                        slot += length
                    best = min(best, self.parts_objective(job, plan))
        return best

    def fits(self, job: Job, region: str, start: int, *, hard_only: bool = False) -> bool:
        """Does a run that starts there keep the job's limits and the region's power limit?"""
        end = start + job.duration
        for signal, (bound, hard) in job.limits.items():
            if job.critical or (hard_only and not hard):
                continue
            total = integral(self.columns[region][signal], start, end)
            if total is None:
                if hard:
                    return False
            elif total > bound * job.duration if signal != "renewable" else total < bound * job.duration:
                return False
        watts, hard = self.limits.get(region, (0, False))
        if not watts or (hard_only and not hard):
            return True
        return all(
            self.taken(region, slot) + job.watts <= watts for slot in range(slot_of(start), end, SLOT)
        )

    def taken(self, region: str, slot: int) -> int:
        """A run counts in every slot that it touches."""
        return sum(w for r, start, end, w in self.reserved if r == region and start < slot + SLOT and end > slot)

    def candidates(self, job: Job) -> Iterator[Choice]:
        """Now, every slot border, latest start; in every allowed region. Only those that can be compared."""
        first = max(self.now, job.earliest)
        latest = max(job.latest, first) if job.latest is not None else first
        horizon = max((slot + SLOT for r in job.regions for slot in self.columns[r]["carbon"]), default=first)
        borders = range(slot_of(first) + SLOT, min(latest, horizon) + 1, SLOT)
        for region in job.regions:
            for at in [first, *borders, *([latest] if latest > first and latest not in borders else [])]:
                start = min(at + job.spread, latest) if at in borders else at
                objective = self.objective(job, region, at)
                if objective is not None:
                    yield Choice(objective, at, start, region)

    def standing(self, job: Job, region: str, start: int) -> Choice | None:
        """An earlier plan, or "at once at home", if it can still be had."""
        first = max(self.now, job.earliest)
        latest = max(job.latest, first) if job.latest is not None else first
        start = max(start, first)
        if region not in job.regions or start > latest:
            return None
        at = start - job.spread
        if not (at > first and at % SLOT == 0):
            at = start
        objective = self.objective(job, region, at)
        if objective is None or not self.fits(job, region, start):
            return None
        return Choice(objective, at, start, region)

    def choose(self, job: Job, earlier: tuple[str, int] | None) -> list[Choice]:
        """All choices that are right: more than one only where objectives are equal but for floating point.

        Empty: no start is allowed.
        """
        first = max(self.now, job.earliest)
        latest = max(job.latest, first) if job.latest is not None else first
        if job.critical:
            places = [job.home] if job.home in job.regions else job.regions
            return [Choice(0, first, first, r) for r in places if self.fits(job, r, first, hard_only=True)][:1]
        everything = list(self.candidates(job))
        assert everything, f"{job.key}: no data at all"
        allowed = [c for c in everything if self.fits(job, c.region, c.start)]
        if not allowed:
            return self.forced(job, latest)
        least = min(c.objective for c in allowed)
        best = [c for c in allowed if c.objective <= least + NEARLY]
        kept = self.standing(job, *earlier) if earlier else None
        kept = kept or self.standing(job, job.home, first)
        if kept is None:
            return best
        gain, noise = kept.objective - least, self.noise(job)
        if abs(gain - noise) <= NEARLY:
            return [*best, kept]
        return best if gain > noise else [kept]

    def forced(self, job: Job, latest: int) -> list[Choice]:
        """Nothing keeps the soft limits: the latest start all the same, where it is least bad; or a start that the
        hard limits allow; or none."""
        starts = [latest]
        for _ in range(2):
            found = [
                Choice(self.objective(job, r, s) or 0.0, s, s, r)
                for r in job.regions
                for s in starts
                if self.fits(job, r, s, hard_only=True)
            ]
            if found:
                least = min(c.objective for c in found)
                return [c for c in found if c.objective <= least + NEARLY]
            starts = sorted({c.start for c in self.candidates(job)})
        return []


# --------------------------------------------------------------------------------------------
# The operator's log, decision by decision


@dataclass
class Decision:
    """One line of the operator: what it chose, and when."""

    job: str
    now: int
    region: str | None
    start: int
    earlier: tuple[str, int] | None
    noise: float
    segments: list[tuple[int, int]] = field(default_factory=list)  # of a plan with pauses: starts and ends

    def __str__(self) -> str:
        if self.region is None:
            return "no start"
        return f"{self.region} {to_text(self.start)}"


@dataclass
class Log:
    """From the operator's log: the decisions, and per round the issue of each region's data."""

    decisions: list[Decision]
    issued: dict[int, dict[str, tuple[int | None, int | None]]]  # now: region: carbon's, price's


def read_segments(text: str) -> list[tuple[int, int]]:
    parts = [part.split(",") for part in text.split(";") if part]
    return [(int(start), int(end)) for _, start, end, _ in parts]


def read_log(lines: Iterable[str]) -> Log:
    decisions: list[Decision] = []
    issued: dict[int, dict[str, tuple[int | None, int | None]]] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("msg") == "planned":
            earlier = (entry["earlier_region"], entry["earlier_start_ms"]) if entry.get("earlier_region") else None
            region = entry.get("region") or None
            decisions.append(
                Decision(entry["job"], entry["now_ms"], region, entry["start_ms"], earlier, entry["noise"],
                         read_segments(entry.get("segments", "")))
            )
        elif entry.get("msg") == "round":
            issued[entry["now_ms"]] = {}
            for word in entry["issued"].split():
                region, _, times = word.partition("=")
                carbon, price = (to_ms(t) if t != "-" else None for t in times.split(","))
                issued[entry["now_ms"]][region] = carbon, price
    return Log(decisions, issued)


class Replay:
    """All decisions of one run of the operator, derived again."""

    def __init__(
        self,
        bodies: Bodies,
        jobs: Iterable[Object],
        regions: Iterable[Object],
        nodes: Sequence[Object],
        log: Log,
        clock: Clock,
    ) -> None:
        self.bodies, self.log, self.clock = bodies, log, clock
        self.cache: dict[tuple[tuple[Source, ...], int, int], Known | None] = {}
        self.objects = {f"{o['metadata']['namespace']}/{o['metadata']['name']}": o for o in jobs}
        self.jobs = {key: read_job(o, nodes, clock) for key, o in self.objects.items()}
        self.regions = {r["metadata"]["name"]: r["spec"] for r in regions}
        self.power = {
            name: (spec["powerLimit"]["watts"], spec["powerLimit"].get("enforcement") == "Hard")
            for name, spec in self.regions.items()
            if "powerLimit" in spec
        }

    def standing_plan(self, key: str, now: int, *, before: bool) -> Decision | None:
        """The last decision about a job up to now (before: not counting now's)."""
        found = [d for d in self.log.decisions if d.job == key and (d.now < now or (not before and d.now == now))]
        return found[-1] if found else None

    def ended(self, key: str) -> int | None:
        """When the Job was over, from the object's conditions; domain time."""
        for condition in self.objects[key].get("status", {}).get("conditions", []):
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                return to_ms(condition["lastTransitionTime"])
        return None

    def in_round(self, key: str, now: int) -> bool:
        """Waiting for a start that has not come."""
        earlier = self.standing_plan(key, now, before=True)
        if earlier is None:
            return self.standing_plan(key, now, before=False) is not None
        ended = self.ended(key)
        if self.jobs[key].pauses:  # what is left of it is planned to its end
            return ended is None or ended > now
        if earlier.region is None:
            return ended is None or ended > now
        return earlier.start > now

    def known(self, region: str, now: int) -> list[Known]:
        """What stood of carbon in a GridRegion at that round: of the issue that the log names. Which answers of other
        sources had come in by then, to fill gaps, is not said: so there may be two, with the most and the fewest."""
        issued = self.log.issued[now][region][0]
        chain = [(link["provider"], link["zone"]) for link in self.regions[region]["carbon"]["chain"]]
        times = [t for t in self.bodies.times if now - 4 * SLOT <= t <= now]
        # At the border of a slot the status is written anew, a moment later.
        for at in (now, slot_of(now) - 1):
            found = [self.known_by(chain, until, at) for until in times]
            fitting = [k for k in found if k is not None and k.issued == issued]
            if fitting:
                return [fitting[-1], fitting[0]]
        return []

    def known_by(self, chain: Sequence[Source], until: int, now: int) -> Known | None:
        key = (tuple(chain), until, now)
        if key not in self.cache:
            self.cache[key] = known_of(self.bodies, chain, until, now)
        return self.cache[key]

    def columns(self, now: int, carbon: Mapping[str, Known]) -> dict[str, dict[str, Column]]:
        """What stood in the GridRegions at that round, taken from the bodies."""
        result = {}
        for name, known in carbon.items():
            price_issued = self.log.issued[now][name][1]
            zone = self.regions[name]["price"]["chain"][0]["zone"]
            price = self.bodies.price(zone[-1], price_issued) if price_issued is not None else {}
            signals = {**known.columns, "price": price}
            result[name] = {s: {t: v for t, v in signals[s].items() if t >= slot_of(now)} for s in SIGNALS}
        return result

    def rounds_at(self, decision: Decision) -> list[Round]:
        """The round of that decision, for each of the data that may have stood there; [] when none of what was
        served fits the issues that the log names."""
        waiting = [self.jobs[key] for key in self.jobs if self.in_round(key, decision.now)]
        planned = {region for job in waiting for region in job.regions}
        known = {region: self.known(region, decision.now) for region in planned}
        if not all(known.values()):
            return []
        return [self.round_with(decision, waiting, {r: known[r][i] for r in planned}) for i in range(2)]

    def round_with(self, decision: Decision, waiting: Sequence[Job], known: Mapping[str, Known]) -> Round:
        now, job = decision.now, self.jobs[decision.job]
        confidence = {region: k.confidence for region, k in known.items()}
        this = Round(now, self.columns(now, known), confidence, waiting, self.power)
        for key, other in self.jobs.items():
            plan = self.standing_plan(key, now, before=False)
            ended = self.ended(key)
            if plan is None or plan.region is None or key == job.key or (ended is not None and ended <= now):
                continue
            released = self.objects[key].get("status", {}).get("releasedTime")
            if other in waiting:
                if other.order < job.order:
                    this.reserved.append((plan.region, plan.start, plan.start + other.duration, other.watts))
            elif released is not None and to_ms(released) <= now:
                end = max(to_ms(released) + other.duration, now + SLOT)
                this.reserved.append((plan.region, now, end, other.watts))
            else:
                this.reserved.append((plan.region, now, plan.start + other.duration, other.watts))
        return this

    def check(self) -> Iterator[str]:
        """A sentence for each decision that is not what it should be."""
        for decision in self.log.decisions:
            job = self.jobs[decision.job]
            rounds = self.rounds_at(decision)
            if not rounds:
                yield f"{decision.job} at {to_text(decision.now)}: no bodies give the issues that the log names"
                continue
            noise = [this.noise(job) for this in rounds]
            if not min(noise) * (1 - ABOUT) <= decision.noise <= max(noise) * (1 + ABOUT):
                yield f"{decision.job} at {to_text(decision.now)}: noise {decision.noise}, brute force {noise}"
            if job.pauses:
                if not any(self.agrees_in_parts(this, job, decision) for this in rounds):
                    yield f"{decision.job} at {to_text(decision.now)}: the operator's {decision} is not the least"
                continue
            right = [this.choose(job, decision.earlier) for this in rounds]
            if any(self.agrees(decision, choices) for choices in right):
                continue
            wanted = " or ".join(f"{c.region} {to_text(c.start)}" for c in right[0]) or "no start"
            yield f"{decision.job} at {to_text(decision.now)}: the operator chose {decision}, brute force {wanted}"

    def agrees_in_parts(self, this: Round, job: Job, decision: Decision) -> bool:
        """The least of all runs with pauses, or the plan before it (else at once) for less than the noise. Of a job
        that has begun, only what lies ahead is chosen: that is for the tests of the planner."""
        assert job.latest is not None
        before = self.standing_plan(job.key, decision.now, before=True)
        begun = max(job.earliest, decision.now) if before is None else self.parts_of(job, before)[0][0]
        if decision.now > begun:
            return True
        at_once = [(max(job.earliest, decision.now), max(job.earliest, decision.now) + job.duration)]
        stood = this.parts_objective(job, at_once if before is None else self.parts_of(job, before))
        least, noise = this.least_in_parts(job), this.noise(job)
        chosen = this.parts_objective(job, self.parts_of(job, decision))
        if abs(stood - least - noise) <= NEARLY:
            return min(abs(chosen - least), abs(chosen - stood)) <= NEARLY
        return abs(chosen - (least if stood - least > noise else stood)) <= NEARLY

    @staticmethod
    def parts_of(job: Job, decision: Decision) -> list[tuple[int, int]]:
        """A run is compared at the border that its start was spread from, all of it."""
        by = job.spread if (decision.start - job.spread) % SLOT == 0 else 0
        if decision.segments:
            return [(start - by, end - by) for start, end in decision.segments]
        return [(decision.start - by, decision.start - by + job.duration)]

    @staticmethod
    def agrees(decision: Decision, choices: Sequence[Choice]) -> bool:
        if decision.region is None:
            return not choices
        return any(c.region == decision.region and c.start == decision.start for c in choices)
