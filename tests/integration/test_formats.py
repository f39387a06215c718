"""Formats whose packages come from a channel or repository beside the test: the image holds what is locked.

Those of the public index are cases of tests/scenarios (`locked-by-...`).
"""

import functools
import http.server
import json
import os
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
import yaml

from tests.rig import conda_channel, cran, projects
from tests.rig.base_images import make_base
from tests.rig.docker_command import both_outputs

from .conftest import Cli, Completed

LIST = """import importlib.metadata as metadata
found = {one.name.lower(): one.version for one in metadata.distributions()}
own = ("pip", "setuptools", "wheel")  # of the base image
lines = sorted(f"{name}=={version}" for name, version in found.items() if name not in own)
"""


@dataclass(frozen=True)
class Builder:
    """Builds folders whose program answers its packages."""

    cli: Cli
    folder: Path
    image: str

    def build(self, locked: dict[str, str], *options: str) -> Completed:
        """Build and prove: the smoke test compares what the program answers with `locked`."""
        (self.folder / "smoke").mkdir(exist_ok=True)
        (self.folder / "smoke/input.txt").write_text("x")
        expected = "\n".join(sorted(f"{name}=={version}" for name, version in locked.items()))
        (self.folder / "smoke/expected.txt").write_text(expected)
        bundle = os.environ.get("SSL_CERT_FILE")
        built = self.cli("build", self.folder, "--verbose", *(("--ca-bundle", bundle) if bundle else ()), *options)
        assert built.returncode == 0, built.stdout + built.stderr
        assert re.search(r"smoke +image (\d+)/\1 checks", built.stdout)
        return built


@pytest.fixture
def builder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Builder]:
    image = f"format-{request.node.name}".replace("_", "-")
    folder = tmp_path / image
    folder.mkdir()
    yield Builder(Cli(tmp_path), folder, f"{image}:latest")
    subprocess.run(["docker", "image", "rm", "--force", f"{image}:latest"], capture_output=True, check=False)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder where the steps of a build reach it."""
    settings = docker.from_env().api.inspect_network("bridge")["IPAM"]["Config"]
    gateway = next(config["Gateway"] for config in settings if "Gateway" in config)
    with http.server.ThreadingHTTPServer((gateway, 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{gateway}:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Name a channel of conda, and the folder that it is in."""
    folder = conda_channel.make(tmp_path_factory.mktemp("channel"))
    with served(folder) as url:
        yield url, folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


MAIN_OF_CONDA = (
    "import sys, rows, six, idna\nassert sys.prefix == '/opt/environment'\n"
    f"{LIST}open(sys.argv[2], 'w').write('\\n'.join(lines))\n"
)
OF_CONDA = {"rows": "2.0", "six": "1.15.0", "idna": "3.7"}


def test_environment_yml(builder: Builder, channel: tuple[str, Path]) -> None:
    content = {
        "name": "anything",
        "channels": [channel[0], "nodefaults"],
        "dependencies": ["python=3.13", "rows>=1", {"pip": ["idna==3.7"]}],
    }
    (builder.folder / "environment.yml").write_text(yaml.safe_dump(content))
    (builder.folder / "main.py").write_text(MAIN_OF_CONDA)
    builder.build(OF_CONDA)


def test_pixi_lock(builder: Builder, channel: tuple[str, Path]) -> None:
    packages = {"python": conda_channel.PYTHON, "rows": "2.0", "six": "1.14.0"}
    wheel = next(one for one in tomllib.loads(projects.texts("uv")["uv.lock"])["package"] if one["name"] == "idna")
    (file,) = wheel["wheels"]
    idna = {"pypi": file["url"], "name": "idna", "version": "3.7", "sha256": file["hash"].removeprefix("sha256:")}
    (builder.folder / "pixi.lock").write_text(conda_channel.pixi_lock(*channel, packages, [idna]))
    (builder.folder / "pixi.toml").write_text('[dependencies]\nrows = "*"\n[pypi-dependencies]\nidna = "*"\n')
    (builder.folder / "main.py").write_text(MAIN_OF_CONDA)
    builder.build({**OF_CONDA, "six": "1.14.0"})


R = "localhost/md-base/format-r"
RENV = f"""FROM {R}
RUN --mount=type=secret,id=ca-bundle,required=false \\
    if [ -f /run/secrets/ca-bundle ]; then \\
    echo 'Acquire::https::CAInfo "/run/secrets/ca-bundle";' > /tmp/apt.conf; export APT_CONFIG=/tmp/apt.conf; fi; \\
    apt-get update && apt-get install -y --no-install-recommends r-cran-renv
"""
SCORE = """paths <- commandArgs(trailingOnly = TRUE)
cat(paste0(rows::rows(), "==", packageVersion("rows")), file = paths[2])
"""
#: As the one of renv, which else fetches renv and makes a library in the folder.
ACTIVATE = 'if (Sys.getenv("RENV_CONFIG_AUTOLOADER_ENABLED") != "FALSE") stop("this would fetch renv")\n'


@pytest.fixture
def with_renv() -> Iterator[str]:
    """Name an image of R that has renv, from Debian."""
    make_base("rocker", R)
    bundle = os.environ.get("SSL_CERT_FILE")
    secret = (f"--secret=id=ca-bundle,src={bundle}",) if bundle else ()
    both_outputs("build", *secret, "--tag", f"{R}-renv", "-", stdin=RENV)
    yield f"{R}-renv"
    subprocess.run(["docker", "image", "rm", "--force", f"{R}-renv", R], capture_output=True, check=False)


def test_renv_lock(builder: Builder, tmp_path: Path, with_renv: str) -> None:
    with served(cran.make(tmp_path / "cran")) as url:
        package = {"Package": "rows", "Version": cran.OLDER, "Source": "Repository", "Repository": "CRAN"}
        language = {"Version": "4.5.0", "Repositories": [{"Name": "CRAN", "URL": url}]}
        files = {
            "renv.lock": json.dumps({"R": language, "Packages": {"rows": package}}),
            "score.R": SCORE,
            ".Rprofile": 'source("renv/activate.R")\n',
            "renv/activate.R": ACTIVATE,
        }
        for path, text in files.items():
            (builder.folder / path).parent.mkdir(exist_ok=True)
            (builder.folder / path).write_text(text)
        options = ("--base-image", with_renv, "--command", "Rscript score.R {input} {output}")
        builder.build({"rows": cran.OLDER}, *options)
        lock = {"R": language, "Packages": {"nowhere": {**package, "Package": "nowhere"}}}
        (builder.folder / "renv.lock").write_text(json.dumps(lock))
        failed = builder.cli("build", builder.folder, *options)
        assert failed.returncode == 5
        assert "nowhere 1.0 is in none of the repositories that renv.lock names" in failed.stdout + failed.stderr
