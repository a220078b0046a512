# SPDX-License-Identifier: Apache-2.0
"""Waiting for things, with a text worth reading when they do not happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


def shown(value: Any) -> str:
    """Any value, printed for a human: API objects as YAML without their managedFields."""
    if isinstance(value, dict) and "metadata" in value:
        metadata = {k: v for k, v in value["metadata"].items() if k != "managedFields"}
        value = {**value, "metadata": metadata}
    if isinstance(value, dict | list):
        return yaml.safe_dump(value, sort_keys=False)
    return str(value)


def wait_for(
    probe: Callable[[], T],
    timeout: float = 30.0,
    *,
    what: str,
    until: Callable[[T], Any] = bool,
    interval: float = 0.1,
) -> T:
    """Call probe until its value satisfies `until`; gives that value.

    An exception of the probe counts as "not yet" and is shown if it never gets better.
    """
    deadline = time.monotonic() + timeout
    while True:
        failure: Exception | None = None
        value: Any = None
        try:
            value = probe()
            if until(value):
                return value
        except Exception as error:  # noqa: BLE001 - shown below
            failure = error
        if time.monotonic() > deadline:
            last = f"{type(failure).__name__}: {failure}" if failure else shown(value)
            raise AssertionError(f"not within {timeout:g} s: {what}; last seen:\n{last}") from failure
        time.sleep(interval)


def stays(probe: Callable[[], Any], seconds: float, *, what: str, interval: float = 0.1) -> None:
    """Fail as soon as probe is false within the time: for what must not happen."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if not probe():
            raise AssertionError(f"after {time.monotonic() - started:.1f} s no longer: {what}")
        time.sleep(interval)
