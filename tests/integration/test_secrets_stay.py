"""A whole run with planted secrets, green and red: none of them in anything that it prints, writes, starts or makes."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.rig.command import Cli
from tests.rig.leaks import leaks, planted, planted_file, watched

#: What `docker login` would be given, in base64: `AWS:` and the password that ECR made.
_REGISTRY_WORD = re.compile(r"QVdTO[\w+/=]{20}")


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def test_no_secret_in_anything_that_a_run_makes(cli: Cli, example: Any, tmp_path: Path) -> None:
    folder = example("is-prime", "verschwiegen")
    (folder / "main.py").write_text((folder / "main.py").read_text() + "\n# nobody has built this yet\n")
    # Not of `pip install`: nobody listens there, and the server's image may have to be built too.
    index = f"[download]\nextra-index-url = https://me:{planted('pip-password')}@127.0.0.1:9/simple\n"
    pip = planted_file(tmp_path / "pip.conf", index)
    said = dict(
        line.removeprefix("export ").split("=", 1)
        for line in cli("sandbox", "start").stdout.splitlines()
        if line.startswith("export ")
    )
    environment = cli.environment | said | {"AWS_SECRET_ACCESS_KEY": planted("secret-access-key")}
    environment |= {"AWS_SESSION_TOKEN": planted("session-token"), "MODEL_DOCKERIZE_DEBUG": "1"}
    report = tmp_path / "report.json"

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "model_dockerize", "run", folder, "--pip-config", pip, "--report", report]
        return subprocess.run([*command, *more], env=environment, capture_output=True, text=True, check=False)

    with watched():  # and what it prints is searched where the test session reads it
        green = run()
        told = json.loads(report.read_text(encoding="utf-8"))
        cli.images.add(told["image"])
        red = run("--execution-role", "nobody-has-this-role")
    assert green.returncode == 0, green.stderr
    assert red.returncode == 2, red.stderr

    with urllib.request.urlopen(f"{said['AWS_ENDPOINT_URL']}/_sandbox/journal", timeout=10) as answer:
        journal = answer.read().decode()
    assert "GetAuthorizationToken" in journal
    containers = docker("ps", "--quiet", "--filter", cli.container_filter).split()
    places = {
        "standard output": green.stdout + red.stdout,
        "standard error": green.stderr + red.stderr,
        "report": report.read_text(encoding="utf-8"),
        "journal": journal,
        "sandbox's log": (cli.home / "sandbox.log").read_text(encoding="utf-8", errors="replace"),
        "history": docker("history", "--no-trunc", "--format", "{{json .}}", told["image"]),
        "image": docker("image", "inspect", told["image"]),
        "containers": docker("inspect", *containers),
        "docker's configuration": _text(Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"),
        **{str(path): _text(path) for path in folder.rglob("*") if path.is_file()},
    }
    assert all(places[name] for name in ("report", "history", "image", "containers"))
    assert {place: leaks(text) for place, text in places.items() if leaks(text)} == {}
    assert [place for place, text in places.items() if _REGISTRY_WORD.search(text)] == []


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
