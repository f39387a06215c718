"""Measures how long packages take to install, by pip and by uv as builds use it; and a build after a small change.

python bench/install.py [--rounds 3] [--requirements FILE]     (without a file: those of examples/iris-classifier)

cold: nothing was fetched before. one more: a package is added, and what was fetched is in the build's cache. code and
weights: a line of the example, or its file of 50 MB, changes; the whole `model-dockerize build`, and the bytes of the
layers that the image before did not have, as a push sends them (compressed, where the engine keeps them so).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))

from model_dockerize import image  # noqa: E402 - the package is in the checkout
from model_dockerize.progress import Silent  # noqa: E402

BASE = "python:3.13-slim-trixie"
MORE = "Faker==30.0.0\n"


def bundle() -> list[str]:
    """Return the certificates that the network asks for, as the arguments of a container."""
    path = os.environ.get("SSL_CERT_FILE")
    known = [f"--env={name}=/run/ca.pem" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    return [f"--volume={path}:/run/ca.pem:ro", *known] if path else []


def installer(target: Path) -> Path:
    """Take what builds mount out of the server's image."""
    engine, sources = image.probe(os.environ), image.find_sources()
    path = os.environ.get("SSL_CERT_FILE")
    secrets = {"ca-bundle": Path(path)} if path else {}
    server = image.server_image(engine, image.server_version(sources), engine.platform, sources, Silent(), secrets)
    made = subprocess.run(["docker", "create", server, "x"], capture_output=True, text=True, check=True).stdout.strip()
    try:
        subprocess.run(["docker", "cp", f"{made}:/install", target], capture_output=True, check=True)
    finally:
        subprocess.run(["docker", "rm", made], capture_output=True, check=True)
    return target / "install"


def seconds(tool: Path, requirements: Path, cache: str) -> float:
    """Install in a fresh container, and return the seconds of the installation alone."""
    mounts = [
        f"--volume={tool}:/run/install:ro",
        f"--volume={requirements}:/r.txt:ro",
        f"--volume={cache}:/root/.cache",
    ]
    script = "begin=$(date +%s.%N); python /run/install/model_installer -r /r.txt >&2 && echo $begin $(date +%s.%N)"
    command = [
        "docker",
        "run",
        "--rm",
        "--env=PIP_ROOT_USER_ACTION=ignore",
        *bundle(),
        *mounts,
        BASE,
        "sh",
        "-c",
        script,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    begin, end = map(float, done.stdout.split())
    print(f"{requirements.name} by {tool.name}: {end - begin:.1f} s", file=sys.stderr, flush=True)
    return end - begin


def build(folder: Path) -> float:
    """Build the folder by the command line."""
    path = os.environ.get("SSL_CERT_FILE")
    more = ["--ca-bundle", path] if path else []
    command = [sys.executable, "-m", "model_dockerize", "build", folder, "--smoke-test", "false", *more]
    begin = time.monotonic()
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "lib")}, capture_output=True, check=True)
    return time.monotonic() - begin


def layers(ref: str) -> dict[str, int]:
    """Return the bytes of each layer of an image."""
    sizes: dict[str, int] = {}
    listed: list[str] = []
    with (
        subprocess.Popen(["docker", "save", ref], stdout=subprocess.PIPE) as save,
        tarfile.open(fileobj=save.stdout, mode="r|") as tar,
    ):
        for member in tar:
            sizes[member.name] = member.size
            file = tar.extractfile(member) if member.name == "manifest.json" else None
            listed = json.load(file)[0]["Layers"] if file else listed
    return {name: sizes[name] for name in listed}


def changed(folder: Path, change: Callable[[], object], found: dict[tuple[str, str], list[float]], case: str) -> None:
    """Build after a change, and note the seconds and the bytes of new layers."""
    before = layers(f"{folder.name}:latest")
    change()
    found.setdefault(("uv", case), []).append(build(folder))
    new = {name: size for name, size in layers(f"{folder.name}:latest").items() if name not in before}
    found.setdefault(("bytes", case), []).append(sum(new.values()))


def add_line(folder: Path) -> None:
    """Change the code."""
    with (folder / "main.py").open("a") as code:
        code.write(f"# {os.urandom(8).hex()}\n")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requirements", type=Path, default=ROOT / "examples/iris-classifier/requirements.txt")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        uv = installer(place).rename(place / "uv")
        pip = place / "pip"
        shutil.copytree(uv / "model_installer", pip / "model_installer")
        text = given.requirements.read_text(encoding="utf-8")
        (place / "some.txt").write_text(text, encoding="utf-8")
        (place / "more.txt").write_text(f"{text}\n{MORE}", encoding="utf-8")
        found: dict[tuple[str, str], list[float]] = {}
        for number in range(given.rounds):
            for tool, path in (("pip", pip), ("uv", uv)):
                cache = f"bench-install-{os.getpid()}-{tool}-{number}"  # a volume: the engine makes and removes it
                try:
                    found.setdefault((tool, "cold"), []).append(seconds(path, place / "some.txt", cache))
                    found.setdefault((tool, "one more"), []).append(seconds(path, place / "more.txt", cache))
                finally:
                    subprocess.run(["docker", "volume", "rm", cache], capture_output=True, check=False)
        folder = Path(shutil.copytree(ROOT / "examples/iris-classifier", place / "bench-install"))
        weights = folder / "weights.bin"
        weights.write_bytes(os.urandom(50 * 10**6))
        build(folder)
        for _ in range(given.rounds):
            changed(folder, partial(add_line, folder), found, "code")
            changed(folder, partial(weights.write_bytes, os.urandom(50 * 10**6)), found, "weights")
        subprocess.run(["docker", "image", "rm", "--force", "bench-install:latest"], capture_output=True, check=False)
    print(f"{given.requirements.name}, {given.rounds} rounds, medians in seconds")
    for case in ("cold", "one more"):
        by_pip, by_uv = (median(found[tool, case]) for tool in ("pip", "uv"))
        print(f"{case:9} pip {by_pip:6.1f}   uv {by_uv:6.1f}   ratio {by_pip / by_uv:4.1f}")
    for case in ("code", "weights"):
        size = median(found["bytes", case]) / 10**6
        print(f"{case:9} whole build {median(found['uv', case]):.1f}   new layers {size:.1f} MB")


if __name__ == "__main__":
    main()
