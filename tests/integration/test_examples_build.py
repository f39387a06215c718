"""The examples as images, by the real engine: they build, they answer, and what did not change is not done again."""

import csv
import io
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_dockerize import image
from model_dockerize.program import Program, build_id, inspect, render_dockerfile, write_context, write_dockerfile
from model_dockerize.progress import Silent
from model_dockerize.settings import ImageSettings, ProgramSettings, SmokeSettings
from rig.engine import floor_engine
from tests.rig.docker_command import attempts, completed

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PREFIX = "program-test"
# What a server image has to hold for a Dockerfile to build on it, where the real one would take minutes.
STAND_IN = r"""FROM python:3.11-slim-bookworm
RUN mkdir -p /opt/model-server /install/model_installer \
    && touch /install/model_installer/__main__.py && cd /opt/model-server \
    && printf '#!/bin/sh\n[ "$1" != manifest ] || printf "%%s" "$2" > /opt/model-server/model.json\n' > model-server \
    && printf '#!/bin/sh\nshift; exec "$@"\n' > tini && chmod 755 model-server tini
"""


@dataclass(frozen=True)
class Built:
    """A finished build: what the engine knows of it, and the plain text that buildx wrote."""

    tag: str
    build_id: str
    config: dict[str, Any]
    layers: tuple[str, ...]
    logs: tuple[str, ...]  # of each attempt

    def cached(self, part: str) -> bool:
        """Tell whether the one step whose text holds `part` was taken from the cache, at the first attempt."""
        log = self.logs[0]
        steps = [line for line in log.splitlines() if re.match(r"#\d+ \[", line) and part in line]
        numbers = {line.split()[0] for line in steps}
        assert len(numbers) == 1, f"{len(numbers)} steps with {part!r}:\n{log}"
        return f"{numbers.pop()} CACHED\n" in log


Build = Callable[..., Built]


def look(folder: Path, *, command: str = "", requirements: str = "", init: str = "", base: str = "") -> Program:
    return inspect(
        ProgramSettings(folder, requirements_file=requirements, init_file=init, base_image=base, command=command),
        ImageSettings(f"{PREFIX}/{re.sub('[^a-z]', '', folder.name.lower())}", cache="none"),
        SmokeSettings(),
        Silent(),
    )


def ca_bundle() -> dict[str, Path]:
    """Return the build secret that a network which intercepts TLS asks for."""
    path = os.environ.get("SSL_CERT_FILE")
    return {"ca-bundle": Path(path)} if path else {}


@pytest.fixture(scope="module")
def server() -> str:
    """Build the real server's image where it is absent; return its name."""
    sources = image.find_sources()
    engine = image.probe(os.environ)
    return image.server_image(engine, image.server_version(sources), engine.platform, sources, Silent(), ca_bundle())


@pytest.fixture(scope="module")
def build(server: str) -> Iterator[Build]:
    """Build a program from its context's tar, as the pipeline does; the images are gone afterwards."""
    tags: set[str] = set()

    def run(program: Program, *options: str, server: str = server) -> Built:
        text = render_dockerfile(program, server)
        identity = build_id(program, text, "test")
        context = io.BytesIO()
        write_context(program, text, context)
        tag = f"{program.name}:{program.version}"
        tags.add(tag)
        arguments = ["--progress=plain", "--load", f"--build-arg=MODEL_BUILD_ID={identity}", f"--tag={tag}"]
        arguments += [f"--secret=id={name},src={path}" for name, path in ca_bundle().items()]
        runs = attempts("buildx", "build", *arguments, *options, "-", stdin=context.getvalue())
        logs = tuple(run.stderr.decode() for run in runs)
        assert runs[-1].returncode == 0, logs[-1]
        known = json.loads(completed("image", "inspect", tag).stdout)[0]
        return Built(tag, identity, known["Config"], tuple(known["RootFS"]["Layers"]), logs)

    yield run
    completed("image", "rm", "--force", *tags)


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    """Copy an example to a path with a space and an umlaut."""
    return lambda name: Path(shutil.copytree(EXAMPLES / name, tmp_path / "Modelle für Köln" / name))


def inside(tag: str, *command: str) -> str:
    """Run a command in the image as the user that models run as; return all that it prints."""
    done = completed("run", "--rm", "--network=none", "--user=1000:1000", "--entrypoint=", tag, *command)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def assert_same(name: str, answer: str, expected: str) -> None:
    """Equal content; numbers in a table may differ by rounding."""
    if name.endswith(".json"):
        assert json.loads(answer) == json.loads(expected)
        return
    got, wanted = (list(csv.reader(io.StringIO(text))) for text in (answer, expected))
    assert [[_number(cell) for cell in row] for row in got] == [
        [pytest.approx(number, abs=1e-6) if isinstance(number := _number(cell), float) else cell for cell in row]
        for row in wanted
    ]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def listing(tag: str) -> list[str]:
    """Return the files of /program that were shipped."""
    return inside(tag, "find", "/program", "-name", "__pycache__", "-prune", "-o", "-type", "f", "-print").splitlines()


@pytest.mark.parametrize("name", ["iris-classifier", "sentiment", "is-prime"])
def test_an_example_builds_and_answers(build: Build, copy: Callable[[str], Path], name: str) -> None:
    folder = copy(name)
    program = look(folder)
    built = build(program)
    expected = next((folder / "smoke").glob("expected.*"))
    for sample in sorted((folder / "smoke").glob("input.*")):
        call = f"python main.py smoke/{sample.name} /tmp/result && cat /tmp/result"
        assert_same(expected.name, inside(built.tag, "sh", "-c", call), expected.read_text())

    assert built.tag == f"{PREFIX}/{name.replace('-', '')}:latest"
    assert built.config["WorkingDir"] == "/program"
    assert built.config["Entrypoint"] == ["/opt/model-server/tini", "--", "/opt/model-server/model-server"]
    assert not built.config.get("Cmd")
    assert built.config["StopSignal"] == "SIGTERM"
    assert "80/tcp" in built.config["ExposedPorts"]
    assert built.config["Healthcheck"]["Test"] == ["CMD", "/opt/model-server/model-server", "health"]
    assert f"MODEL_BUILD_ID={built.build_id}" in built.config["Env"]
    assert built.config["Labels"]["io.model-dockerize.build-id"] == built.build_id
    assert built.config["Labels"]["org.opencontainers.image.title"] == program.name
    manifest = json.loads(inside(built.tag, "cat", "/opt/model-server/model.json"))
    assert manifest["build_id"] == built.build_id
    assert manifest["command"] == ["/usr/local/bin/python", "main.py", "{input}", "{output}"]
    assert "main.cpython-" in inside(built.tag, "ls", "/program/__pycache__")


def test_a_changed_line_installs_nothing_again(build: Build, copy: Callable[[str], Path]) -> None:
    folder = copy("sentiment")
    first = build(look(folder))
    with (folder / "main.py").open("a") as code:
        code.write(f"# {os.urandom(8).hex()}\n")
    second = build(look(folder))
    assert second.build_id != first.build_id
    assert second.cached("model_installer")
    assert second.cached("COPY --from=")
    assert not second.cached("prepare")


def test_code_packages_and_weights_change_alone(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "layered"
    folder.mkdir()
    (folder / "main.py").touch()
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "init.sh").write_text("mkdir -p made && python fetch.py\n")
    (folder / "fetch.py").write_text("open('made/it', 'w').write('fetched')\n")
    (folder / "weights.bin").write_bytes(os.urandom(11 * 2**20))
    (folder / "more.bin").write_bytes(os.urandom(11 * 2**20))
    first = build(look(folder))
    assert inside(first.tag, "sh", "-c", "cat made/it; wc -c < weights.bin") == f"fetched{11 * 2**20}\n"
    assert len([name for name in listing(first.tag) if name.endswith("weights.bin")]) == 1

    (folder / "main.py").write_text(f"# {os.urandom(8).hex()}\n")
    code = build(look(folder))
    for step in ("model_installer", "COPY [large/0/", "COPY [large/1/", "./init.sh"):
        assert code.cached(step)
    large, other, server, shipped = -7, -8, -4, -3
    assert code.layers[:shipped] == first.layers[:shipped]
    assert code.layers[shipped] != first.layers[shipped]

    (folder / "weights.bin").write_bytes(os.urandom(11 * 2**20))
    changed = build(look(folder))
    assert changed.cached("model_installer")
    assert changed.cached("COPY [large/0/")
    assert not changed.cached("COPY [large/1/")
    assert changed.layers[large] != code.layers[large]
    # A push sends neither the other large file nor server and code again: made anew, their layers are the same.
    for kept in (other, shipped, server):
        assert changed.layers[kept] == code.layers[kept]
    assert inside(changed.tag, "sh", "-c", "cat made/it") == "fetched"


def test_the_same_again_does_nothing(build: Build, copy: Callable[[str], Path]) -> None:
    folder = copy("is-prime")
    first = build(look(folder))
    write_dockerfile(look(folder), render_dockerfile(look(folder), "a/b:c"))
    os.utime(folder / "main.py", (1, 1))
    second = build(look(folder))
    assert (second.build_id, second.layers) == (first.build_id, first.layers)


def test_a_new_server_uses_the_layers_of_the_model_again(
    build: Build, copy: Callable[[str], Path], server: str, tmp_path: Path
) -> None:
    program = look(copy("iris-classifier"))
    first = build(program)
    newer = f"{PREFIX}/server:newer"
    (tmp_path / "server").mkdir()
    mark = secrets.token_hex()  # new also to an engine that did this before
    (tmp_path / "server" / "Dockerfile").write_text(
        f"FROM {server}\n# {mark}\nCOPY Dockerfile /opt/model-server/added\n"
    )
    made = completed("buildx", "build", "--load", f"--tag={newer}", tmp_path / "server")
    assert made.returncode == 0, made.stderr.decode()
    try:
        second = build(program, server=newer)
    finally:
        completed("image", "rm", "--force", newer)
    assert second.cached("model_installer")
    assert second.cached("./init.sh")
    assert not second.cached("--from=")
    assert second.build_id != first.build_id
    server_layer, prepared = -4, -3
    assert second.layers[:server_layer] == first.layers[:server_layer]
    assert second.layers[server_layer] != first.layers[server_layer]
    assert second.layers[prepared] == first.layers[prepared]


def test_names_that_mean_something_elsewhere(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "nasty"
    (folder / "deps $HOME").mkdir(parents=True)
    (folder / "main.py").touch()
    requirements = 'deps $HOME/it\'s "mine" [a-z]*? #1 <<EOF $(id) ü.txt'
    init = '-x `id` "$(id)" it\'s \\ init.sh'
    (folder / requirements).write_text("# nothing\n-r other.txt\n")
    (folder / "deps $HOME" / "other.txt").touch()
    (folder / init).write_text('#!/usr/bin/env bash\n[[ -n "$BASH_VERSION" ]] && pwd > made\n')
    command = r"""python main.py '$HOME' '"; RUN id' "it's" '\n' '<<EOF' '${PATH}' 'ü' {input} {output}"""
    program = look(folder, requirements=requirements, init=init, command=command)
    built = build(program)
    assert (
        json.loads(inside(built.tag, "cat", "/opt/model-server/model.json"))["command"][1:] == list(program.command)[1:]
    )
    assert inside(built.tag, "cat", "made") == "/program\n"
    assert f"/program/{requirements}" in listing(built.tag)


@pytest.mark.needs("root-on-debian")
def test_the_oldest_engine_builds_it(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copy("is-prime")
    (folder / "my requirements.txt").write_text("# nothing\n")
    (folder / "init.sh").write_text("#!/bin/bash\n[ -f /run/secrets/pip-config ] && touch made\n")
    (folder / ".env").write_text("x")
    (tmp_path / "pip.ini").write_text("[global]\nno-index = true\n")
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "Dockerfile").write_text(STAND_IN)
    program = look(folder, requirements="my requirements.txt", base="python:3.11-slim-bookworm")
    stand_in = f"localhost/{PREFIX}/server:stand-in"
    text = render_dockerfile(program, stand_in)
    path = write_dockerfile(program, text)
    context = io.BytesIO()
    write_context(program, text, context)
    secret = f"--secret=id=pip-config,src={tmp_path / 'pip.ini'}"
    with floor_engine(["python:3.11-slim-bookworm"]) as engine:
        made = engine.build(tmp_path / "server", "--load", f"--tag={stand_in}")
        assert made.returncode == 0, made.stderr
        by_hand = engine.build(folder, "--load", "--tag=by-hand", f"--file={path}", secret)
        assert by_hand.returncode == 0, by_hand.stderr
        by_tar = subprocess.run(
            ["docker", "buildx", "build", "--network=host", "--load", "--tag=by-tar", secret, "-"],
            input=context.getvalue(),
            env={**os.environ, "DOCKER_HOST": engine.host},
            capture_output=True,
            check=False,
        )
        assert by_tar.returncode == 0, by_tar.stderr.decode()
        look_inside = ("run", "--rm", "--network=none", "--entrypoint=")
        found = [engine.docker(*look_inside, tag, "find", "/program").stdout for tag in ("by-hand", "by-tar")]
    assert sorted(found[0].splitlines()) == sorted(found[1].splitlines())
    assert "/program/made" in found[0]
    assert ".env" not in found[0]
    assert "Dockerfile" not in found[0]
