"""The `docker` command of the tests' engine."""

import subprocess
from pathlib import Path

from tests.rig.waiting import BUSY_SECONDS

from model_dockerize.engine_images import lost_a_layer

#: What a build is given where a proxy signs TLS anew.
CA = Path("/etc/ssl/certs/ca-certificates.crt")
CA_SECRET = [f"--secret=id=ca-bundle,src={CA}"] if CA.exists() else []
_ATTEMPTS = 3  # of a command whose layers the engine loses, because another test removed its image


def completed(
    *arguments: str | Path, cwd: Path | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a command, whatever its exit code."""
    return attempts(*arguments, cwd=cwd, stdin=stdin)[-1]


def attempts(
    *arguments: str | Path, cwd: Path | None = None, stdin: bytes = b""
) -> list[subprocess.CompletedProcess[bytes]]:
    """Run a command, again where the engine lost a layer; return all runs.

    The last one takes from the cache what the first one made.
    """
    runs: list[subprocess.CompletedProcess[bytes]] = []
    while len(runs) < _ATTEMPTS:
        done = subprocess.run(
            ["docker", *map(str, arguments)],
            cwd=cwd,
            input=stdin,
            capture_output=True,
            timeout=BUSY_SECONDS,
            check=False,
        )
        if done.returncode == 0 or not lost_a_layer(done.stderr.decode("utf-8", "replace")):
            return [*runs, done]
        runs.append(done)
    return runs


def docker(*arguments: str | Path, cwd: Path | None = None, stdin: str | None = None) -> str:
    """Run a command that must work; return its output without the blanks around it."""
    return both_outputs(*arguments, cwd=cwd, stdin=stdin)[0].strip()


def both_outputs(*arguments: str | Path, cwd: Path | None = None, stdin: str | None = None) -> tuple[str, str]:
    """Run a command that must work; return its output and what it says on standard error."""
    done = completed(*arguments, cwd=cwd, stdin=(stdin or "").encode())
    output, said = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, f"docker {' '.join(map(str, arguments))}: {said}"
    return output, said
