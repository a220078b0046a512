# SPDX-License-Identifier: Apache-2.0
"""Running our own programs in tests: readiness, signals, logs, sanitizer reports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cluster import ClusterError, Component, free_port, http_ok, tail

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("LOADSHIFT_BUILD", "build")
SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak)Sanitizer|WARNING: (Thread|Memory)Sanitizer|ThreadSanitizer:DEADLYSIGNAL|: runtime error: "
)
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    # Losing the Lease ends the operator on the spot, threads and all.
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:report_thread_leaks=0",
}


def program_path(name: str) -> Path:
    """A program of the build under test (LOADSHIFT_BUILD names its folder); a path stays as it is."""
    path = BUILD / name
    assert path.exists(), f"{path} is not built"
    return path


def program_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """No KUBECONFIG of the developer's reaches a program under test."""
    inherited = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
    return {**SANITIZER_OPTIONS, **inherited, **(extra or {})}


def sanitizer_report(text: str) -> str | None:
    """The sanitizer report in a program's output, from its first line on."""
    found = SANITIZER_REPORT.search(text)
    return text[text.rfind("\n", 0, found.start()) + 1 :] if found else None


class Program(Component):
    """One program under test. It may be killed and started again; its log goes on."""

    def __init__(self, argv: list[str], log: Path, ready_url: str | None, env: Mapping[str, str]) -> None:
        ready = (lambda: http_ok(ready_url)) if ready_url else (lambda: True)
        super().__init__(Path(argv[0]).name, argv, log, ready, env)
        self.last_code: int | None = None  # how the last run ended; None: we killed it

    def start(self) -> None:
        self.last_code = None
        super().start()

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead. May be called from any thread (the proxy's, say)."""
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()

    def pause(self) -> None:
        """SIGSTOP: the program sees nothing and does nothing, as on a node that hangs."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait until the program ends by itself; gives its exit code."""
        assert self.process is not None, f"{self.name} does not run"
        self.last_code = self.process.wait(timeout)
        self.process = None
        return self.last_code

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def terminate(self, timeout: float = 30.0) -> int:
        """SIGTERM; gives the exit code. Not to end in time is an error."""
        assert self.process is not None, f"{self.name} does not run"
        self.resume()
        self.process.terminate()
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.name} still ran {timeout:g} s after SIGTERM; log ends:\n{tail(self.log)}"
            ) from None

    def text(self) -> str:
        """Everything the program has written so far."""
        return self.log.read_text(errors="replace")


class ProcessRunner:
    """Starts programs for one test, and at its end stops and judges them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs: list[Program] = []
        self._outputs: list[tuple[str, str]] = []

    def start(
        self,
        name: str,
        *arguments: str | Path,
        ready: str | None = None,
        env: Mapping[str, str] | None = None,
        label: str | None = None,
        timeout: float = 30.0,
    ) -> Program:
        """Start a program of the build (or by absolute path), and wait until the ready URL gives 200.

        label names the log where a test runs the same program more than once.
        """
        log = self.directory / f"{label or Path(name).name}-{len(self.programs)}.log"
        argv = [str(program_path(name)), *map(str, arguments)]
        program = Program(argv, log, ready, program_environment(env))
        self.programs.append(program)
        program.start()
        program.wait_ready(timeout)
        return program

    def call(
        self,
        name: str,
        *arguments: str | Path,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; gives exit code and output. Any exit code is fine."""
        argv = [str(program_path(name)), *map(str, arguments)]
        result = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=program_environment(env),
        )
        self._outputs.append((" ".join(argv), result.stderr))
        assert result.returncode >= 0, f"{' '.join(argv)} died of signal {-result.returncode}:\n{result.stderr}"
        return result

    def close(self) -> None:
        """Stop what still runs. A crash, a sanitizer report or a program that ignores SIGTERM is a failure."""
        problems = []
        for program in self.programs:
            try:
                if program.running():
                    program.terminate()
                elif program.process is not None:
                    program.wait()
            except (AssertionError, ClusterError) as error:
                problems.append(str(error))
            if program.last_code is not None and program.last_code < 0 and program.last_code != -signal.SIGTERM:
                problems.append(f"{program.name} died of signal {-program.last_code}; log ends:\n{tail(program.log)}")
        outputs = [(p.name, p.text()) for p in self.programs if p.log.exists()] + self._outputs
        problems += [f"{name}:\n{report[:8000]}" for name, text in outputs if (report := sanitizer_report(text))]
        if problems:
            raise AssertionError("\n\n".join(problems))


__all__ = ["BUILD", "ROOT", "ProcessRunner", "Program", "free_port", "program_path", "sanitizer_report"]
