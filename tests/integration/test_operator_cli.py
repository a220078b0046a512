# SPDX-License-Identifier: Apache-2.0
"""The operator told wrong: it ends with one line that names what is wrong and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import ControlPlane
from harness.process import ProcessRunner

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: secret-token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


def refused(programs: ProcessRunner, *arguments: str, code: int, words: tuple[str, ...]) -> None:
    """The program ends with that code, says the words in one line on stderr, and nothing else."""
    result = programs.call("operator", *arguments, env={"HOME": "/nonexistent"}, timeout=20)
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("operator: ")
    assert "secret-token" not in line
    for word in words:
        assert word in line, line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("defaultRegoin: london\n", (":1:", "defaultRegoin", "did you mean defaultRegion")),
        ("workers: 4\nlease:\n  duraton: 15s\n", (":3:", "lease.duraton", "did you mean lease.duration")),
        ("lease:\n  duration: soon\n", (":2:", "lease.duration", "30s", '"soon"')),
        ("workers: 4\nlease: 5\n", (":2:", "lease")),
        ("workers: 2\nworkers: 3\n", ("line 2", "workers", "twice")),
        ("workers: [1, 2\n", ("line 2",)),
        ("workers: 65\n", (":1:", "workers", "from 1 to 64", "65")),
        ("log:\n  level: loud\n", (":2:", "log.level", "debug, info, warn, error", '"loud"')),
        ("a: &a [*a, *a]\n", ("line 1",)),
    ],
)
def test_bad_config_file(programs: ProcessRunner, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "operator.yaml").write_text(text)
    refused(programs, "--config", str(tmp_path / "operator.yaml"), code=2, words=("operator.yaml", *words))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--workers", "0"], 2, ("--workers", "from 1 to 64", "0")),
        (["--workers", "many"], 2, ("--workers", "whole number", '"many"')),
        (["--workers"], 2, ("--workers", "value missing")),
        (["--max-forecast-age", "10"], 2, ("--max-forecast-age", "2h", '"10"')),
        (["--clock-factor", "500"], 2, ("--clock-factor", "from 1 to 240")),
        (["--clock-origin", "yesterday"], 2, ("--clock-origin", "2023-02-09T07:00:00Z")),
        (["--grid-carbon-url", "ftp://x"], 2, ("--grid-carbon-url", "https:// or http://", '"ftp://x"')),
        (["--default-mode", "Observe"], 2, ("--default-mode", "act, observe", '"Observe"')),
        (["--no-such-flag", "1"], 2, ("--no-such-flag", "--help")),
        (["surplus"], 2, ('"surplus"', "--")),
        (["--config", "missing.yaml"], 1, ("--config", "missing.yaml", "No such file")),
        (["--kubeconfig", "missing"], 1, ("kubeconfig", "missing", "No such file")),
        ([], 1, ("no cluster", "--kubeconfig", "KUBECONFIG")),
    ],
)
def test_bad_flags(programs: ProcessRunner, arguments: list[str], code: int, words: tuple[str, ...]) -> None:
    refused(programs, *arguments, code=code, words=words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("token: secret-token", "exec: {command: aws}", ("exec", "token")),
        ("token: secret-token", "auth-provider: {name: gcp}", ("auth-provider",)),
        ('"https://127.0.0.1:1"', '"https://127.0.0.1:1", insecure-skip-tls-verify: true',
         ("insecure-skip-tls-verify", "certificate-authority")),
        ("https://127.0.0.1:1", "http://example.org", ("plain http", "https")),
        ("current-context: x", "current-context: y", ('"y"', "contexts")),
        ("cluster: c,", "cluster: d,", ('"d"', "clusters")),
        ("token: secret-token", "client-certificate: missing.pem, client-key: missing.pem", ("missing.pem",)),
    ],
)  # fmt: skip
def test_bad_kubeconfig(programs: ProcessRunner, tmp_path: Path, old: str, new: str, words: tuple[str, ...]) -> None:
    assert old in KUBECONFIG
    (tmp_path / "config").write_text(KUBECONFIG.replace(old, new))
    refused(programs, "--kubeconfig", str(tmp_path / "config"), code=2, words=("kubeconfig", *words))


def test_bad_combinations(programs: ProcessRunner, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(KUBECONFIG)
    base = ("--kubeconfig", str(tmp_path / "config"))
    refused(programs, *base, "--context", "y", code=2, words=("contexts", '"y"'))
    refused(programs, *base, "--lease-duration", "5s", "--lease-renew-deadline", "10s", code=2,
            words=("lease", "duration", "renew"))  # fmt: skip
    # A read API on all addresses speaks TLS, unless plain http is said to be meant.
    for more in ((), ("--read-api-address", "192.0.2.1"), ("--read-api-address", "0.0.0.0")):
        refused(programs, *base, "--read-api-enabled", *more, code=2, words=("tls.cert", "readApi.plain", "127.0.0.1"))
    refused(programs, *base, "--tls-cert", "x", code=2, words=("tls.key", "both"))
    refused(programs, *base, "--metrics-address", "192.0.2.1", code=1, words=("metrics", "192.0.2.1"))


def test_virtual_clock_is_refused_elsewhere(programs: ProcessRunner, cluster: ControlPlane, tmp_path: Path) -> None:
    """0.0.0.0 leads to this machine, but by its name it is not loopback, and its certificate is not for that name."""
    text = cluster.kubeconfig.read_text()
    assert "https://127.0.0.1:" in text
    (tmp_path / "config").write_text(text.replace("https://127.0.0.1:", "https://0.0.0.0:"))
    refused(programs, "--kubeconfig", str(tmp_path / "config"), "--clock-factor", "60", code=1,
            words=("clock.factor is not 1", "loadshift-virtual-clock"))  # fmt: skip


def test_help_and_version(programs: ProcessRunner) -> None:
    for flag, word in (("--help", "--max-forecast-age"), ("--version", "operator 0.")):
        result = programs.call("operator", flag)
        assert result.returncode == 0
        assert word in result.stdout
        assert result.stderr == ""
