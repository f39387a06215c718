"""Measures installations by pip and by uv, and builds after a small change, for iris and for a model of PyTorch.

python bench/install.py [--rounds 3] [--wheels FOLDER] [MODEL ...]

cold: nothing was fetched before. one more: a package is added, and what was fetched is in the build's cache. Both are
the installation alone, as builds call it, where uv is and where it is not. code and weights: a line, or a file of
50 MB, changes; whole builds, by the Dockerfile that many write (`COPY requirements.txt`, `RUN pip install`, `COPY . .`)
and by `model-dockerize build`, and the bytes of the layers that the image before did not have, as a push sends them
(compressed, where the engine keeps them so).

FOLDER has the wheel of PyTorch for CPUs, which no usual index has.
"""

import argparse
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import docker

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))

from model_dockerize import image  # noqa: E402 - the package is in the checkout
from model_dockerize.progress import Silent  # noqa: E402

MORE = "Faker==30.0.0\n"
TORCH = """import sys

import torch

network = torch.nn.Linear(2, 1)
with open(sys.argv[2], "w") as target:
    target.write(str(network(torch.ones(1, 2)).shape))
"""
DOCKERFILE = """FROM {base}
WORKDIR /program
COPY requirements.txt .
RUN --mount=type=secret,id=ca,target=/run/ca.pem --mount=type=cache,target=/root/.cache/pip \\
    SSL_CERT_FILE=/run/ca.pem PIP_CERT=/run/ca.pem pip install -r requirements.txt
COPY . .
RUN if [ -f init.sh ]; then sh init.sh; fi
CMD ["python", "main.py"]
"""
CERTIFICATES = os.environ.get("SSL_CERT_FILE", "")
Times = dict[str, list[float]]


@dataclass(frozen=True)
class Model:
    """A program, and what was measured of it: by whom and in which case."""

    name: str
    base: str
    requirements: str
    write: Callable[[Path], object]
    found: dict[str, Times] = field(default_factory=dict)

    def note(self, who: str, case: str, value: float) -> None:
        """Keep a measurement, and say it."""
        self.found.setdefault(who, {}).setdefault(case, []).append(value)
        print(f"{self.name}: {who}, {case}: {value:.1f}", file=sys.stderr, flush=True)


def models(wheels: str) -> dict[str, Model]:
    """Return the models by their names.

    Args:
        wheels: where the wheel of PyTorch is served; empty: there is none.
    """
    iris = ROOT / "examples/iris-classifier"
    text = (iris / "requirements.txt").read_text(encoding="utf-8")
    known = [
        Model("iris", "python:3.13-slim-trixie", text, lambda to: shutil.copytree(iris, to, dirs_exist_ok=True)),
    ]
    if wheels:
        host = wheels.partition("://")[2].partition(":")[0]
        listed = f"--find-links {wheels}\n--trusted-host {host}\ntorch==2.13.0+cpu\nnumpy==2.3.4\n"
        known.append(Model("torch", "python:3.11-slim-bookworm", listed, lambda to: (to / "main.py").write_text(TORCH)))
    return {model.name: model for model in known}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve files without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path | None) -> Iterator[str]:
    """Serve a folder where the steps of a build reach it; empty: there is none."""
    if folder is None:
        yield ""
        return
    settings = docker.from_env().api.inspect_network("bridge")["IPAM"]["Config"]
    gateway = next(config["Gateway"] for config in settings if "Gateway" in config)
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer((gateway, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{gateway}:{server.server_port}/"
        server.shutdown()


def installer(target: Path) -> Path:
    """Take what builds mount out of the server's image."""
    engine, sources = image.probe(os.environ), image.find_sources()
    secrets = {"ca-bundle": Path(CERTIFICATES)} if CERTIFICATES else {}
    server = image.server_image(engine, image.server_version(sources), engine.platform, sources, Silent(), secrets)
    made = subprocess.run(["docker", "create", server, "x"], capture_output=True, text=True, check=True).stdout.strip()
    try:
        subprocess.run(["docker", "cp", f"{made}:/install", target], capture_output=True, check=True)
    finally:
        subprocess.run(["docker", "rm", made], capture_output=True, check=True)
    return target / "install"


def seconds(tool: Path, base: str, requirements: str, cache: str) -> float:
    """Install in a fresh container, and return the seconds of the installation alone."""
    certificates = [f"--env={name}=/run/ca.pem" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    trusted = [f"--volume={CERTIFICATES}:/run/ca.pem:ro", *certificates] if CERTIFICATES else []
    mounts = [f"--volume={tool}:/run/install:ro", f"--volume={cache}:/root/.cache"]
    script = (
        "cat > /r.txt; begin=$(date +%s.%N);"
        " python /run/install/model_installer -r /r.txt >&2 && echo $begin $(date +%s.%N)"
    )
    command = ["docker", "run", "--rm", "--interactive", "--env=PIP_ROOT_USER_ACTION=ignore", *trusted, *mounts, base]
    done = subprocess.run(
        [*command, "sh", "-c", script], input=requirements, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    begin, end = map(float, done.stdout.split())
    return end - begin


def installed(model: Model, tools: dict[str, Path], number: int) -> None:
    """Measure both tools, one after the other, each with a cache of its own."""
    for tool, path in tools.items():
        cache = f"bench-install-{os.getpid()}-{tool}-{number}"  # a volume: the engine makes and removes it
        try:
            model.note(tool, "cold", seconds(path, model.base, model.requirements, cache))
            model.note(tool, "one more", seconds(path, model.base, f"{model.requirements}\n{MORE}", cache))
        finally:
            subprocess.run(["docker", "volume", "rm", cache], capture_output=True, check=False)


def build_ours(folder: Path, base: str) -> None:
    """Build the folder by the command line."""
    more = ["--ca-bundle", CERTIFICATES] if CERTIFICATES else []
    command = [sys.executable, "-m", "model_dockerize", "build", folder, "--smoke-test", "false", "--base-image", base]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    subprocess.run([*command, *more], env=environment, capture_output=True, check=True)


def build_by_hand(folder: Path, base: str) -> None:
    """Build the folder by the Dockerfile that many write."""
    secret = [f"--secret=id=ca,src={CERTIFICATES}"] if CERTIFICATES else []
    command = ["docker", "build", "--tag", f"{folder.name}:latest", *secret, "--file", "-", str(folder)]
    subprocess.run(command, input=DOCKERFILE.format(base=base).encode(), capture_output=True, check=True)


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


def built(model: Model, place: Path, rounds: int) -> None:
    """Measure whole builds after a change, by hand and by us in turns."""
    builders = {"by hand": build_by_hand, "ours": build_ours}
    folders = {who: place / f"bench-{model.name}-{who.replace(' ', '-')}" for who in builders}
    try:
        for who, folder in folders.items():
            folder.mkdir()
            model.write(folder)
            (folder / "requirements.txt").write_text(model.requirements, encoding="utf-8")
            new_weights(folder)
            builders[who](folder, model.base)
        for _ in range(rounds):
            for case, change in (("code", add_line), ("weights", new_weights)):
                for who, folder in folders.items():
                    before = layers(f"{folder.name}:latest")
                    change(folder)
                    begin = time.monotonic()
                    builders[who](folder, model.base)
                    model.note(who, case, time.monotonic() - begin)
                    new = [size for name, size in layers(f"{folder.name}:latest").items() if name not in before]
                    model.note(f"{who}, MB", case, sum(new) / 10**6)
    finally:
        for folder in folders.values():
            command = ["docker", "image", "rm", "--force", f"{folder.name}:latest"]
            subprocess.run(command, capture_output=True, check=False)


def add_line(folder: Path) -> None:
    """Change the code."""
    with (folder / "main.py").open("a") as code:
        code.write(f"# {os.urandom(8).hex()}\n")


def new_weights(folder: Path) -> None:
    """Change the large file."""
    (folder / "weights.bin").write_bytes(os.urandom(50 * 10**6))


def table(model: Model) -> str:
    """Return the medians as Markdown."""
    middle = {who: {case: median(times) for case, times in cases.items()} for who, cases in model.found.items()}
    lines = [
        f"| {model.name}: {case} | {middle['pip'][case]:.1f} s | {middle['uv'][case]:.1f} s |"
        f" {middle['pip'][case] / middle['uv'][case]:.1f} |"
        for case in ("cold", "one more")
    ]
    lines += [
        f"| {model.name}: {case} | {middle['by hand'][case]:.1f} s, {middle['by hand, MB'][case]:.1f} MB |"
        f" {middle['ours'][case]:.1f} s, {middle['ours, MB'][case]:.1f} MB |"
        f" {middle['by hand'][case] / middle['ours'][case]:.1f} |"
        for case in ("code", "weights")
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("models", nargs="*")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, served(given.wheels) as wheels:
        place = Path(name)
        uv = installer(place).rename(place / "uv")
        pip = place / "pip"
        shutil.copytree(uv / "model_installer", pip / "model_installer")
        known = models(wheels)
        for chosen in given.models or known:
            model = known[chosen]
            for number in range(given.rounds):
                installed(model, {"pip": pip, "uv": uv}, number)
            built(model, place, given.rounds)
            print(table(model), flush=True)


if __name__ == "__main__":
    main()
