"""A build or a load whose layers the engine loses is asked for again, a few times."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.errors import BuildError, EngineError, InputError
from model_dockerize.image import BuildRequest, Engine, Step, archive
from model_dockerize.image import build as build_image
from model_dockerize.image.store import Image
from tests.unit.image.test_build_argv import ENGINE
from tests.unit.image.test_contents import docker_files, ours, pack
from tests.unit.program.folder import Heard
from tests.unit.test_engine_images import LOST

RAN = "[2/2] RUN pip install pandas"


def output(*, cached: bool, error: str = "") -> str:
    """Return what buildx prints, in JSON, of one step and the export."""
    times = {"started": "2026-11-30T10:00:00Z", "completed": "2026-11-30T10:00:04Z"}
    step = {"digest": "1", "name": RAN, "cached": cached, **times}
    export = {"digest": "2", "name": "exporting to image", "error": error, **times}
    return json.dumps({"vertexes": [step, export]})


class Telling(Heard):
    def output(self, text: str) -> None:
        """Let what the build prints pass."""


class Builds:
    """Stands in for buildx: each call ends as the next of `errors` says, the last one forever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *errors: str) -> None:
        self.calls = 0
        self._errors = errors
        module = sys.modules["model_dockerize.image.build"]  # the package has a function of this name
        monkeypatch.setattr(module, "build_argv", self._argv)
        monkeypatch.setattr(module, "inspect", self._image)

    def _argv(self, *_: object) -> list[str]:
        error = self._errors[min(self.calls, len(self._errors) - 1)]
        text = output(cached=self.calls > 0, error=error)
        self.calls += 1
        return ["sh", "-c", f"cat >/dev/null; echo {shlex.quote(text)} >&2; exit {int(bool(error))}"]

    def _image(self, _: Engine, ref: str, steps: tuple[Step, ...]) -> Image:
        return Image(ref, "sha256:1", 1, "", None, "linux/amd64", steps)


def test_it_is_built_again_and_its_steps_ran_once(monkeypatch: pytest.MonkeyPatch) -> None:
    builds, heard = Builds(monkeypatch, LOST, LOST, ""), Telling()
    sent: list[int] = []
    image = build_image(ENGINE, lambda pipe: sent.append(pipe.write(b"tar")), BuildRequest(("iris:1",)), heard)
    assert builds.calls == len(sent) == 3
    assert image.steps == (Step(RAN, False, 4.0),)
    assert sum("lost a layer" in line for line in heard.infos) == 2


@pytest.mark.parametrize(("error", "calls"), [(LOST, 3), ("no space left on device", 1)])
def test_what_stays_so_is_an_error(monkeypatch: pytest.MonkeyPatch, error: str, calls: int) -> None:
    builds = Builds(monkeypatch, error)
    with pytest.raises(BuildError):
        build_image(ENGINE, lambda pipe: None, BuildRequest(("iris:1",)), Telling())
    assert builds.calls == calls


def test_a_configuration_that_buildx_cannot_write_is_no_fault_of_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["sh", "-c", "cat >/dev/null; echo 'ERROR: mkdir /closed/buildx: permission denied' >&2; exit 1"]
    monkeypatch.setattr(sys.modules["model_dockerize.image.build"], "build_argv", lambda *_: argv)
    engine = replace(ENGINE, environment={**ENGINE.environment, "DOCKER_CONFIG": "/closed"})
    with pytest.raises(EngineError, match="mkdir /closed/buildx: permission denied"):
        build_image(engine, lambda pipe: None, BuildRequest(("iris:1",)), Telling())


@pytest.mark.parametrize(("configured", "home"), [("", "/"), ("/", "/home/a"), (".", "/home/a"), ("/srv/config", "/")])
def test_what_only_begins_as_the_configuration_is_a_failed_build(
    monkeypatch: pytest.MonkeyPatch, configured: str, home: str
) -> None:
    argv = ["sh", "-c", "cat >/dev/null; echo 'ERROR: open /.dockerenv /srv/config.d ./x: no' >&2; exit 1"]
    monkeypatch.setattr(sys.modules["model_dockerize.image.build"], "build_argv", lambda *_: argv)
    engine = replace(ENGINE, environment={**ENGINE.environment, "DOCKER_CONFIG": configured, "HOME": home})
    with pytest.raises(BuildError, match=r"open /\.dockerenv"):
        build_image(engine, lambda pipe: None, BuildRequest(("iris:1",)), Telling())


@pytest.mark.parametrize(("lost", "loads"), [(1, 2), (2, 3), (3, 3)])
def test_an_archive_is_loaded_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: int, loads: int) -> None:
    taken: list[bytes] = []

    def load(stream: Any, **_: object) -> list[dict[str, str]]:
        taken.append(b"".join(stream))
        return [{"error": LOST}] if len(taken) <= lost else [{"stream": "Loaded image: gx-images:t-1"}]

    monkeypatch.setattr(archive, "connect", lambda _: SimpleNamespace(api=SimpleNamespace(load_image=load), close=bool))
    path = tmp_path / "iris.tar"
    path.write_bytes(pack(docker_files(ours(), "gx-images:t-1")))
    contents = archive.look(path, "linux/amd64")
    if lost < 3:
        assert archive._load(ENGINE, contents, Heard()) == ["gx-images:t-1"]
    else:
        with pytest.raises(InputError, match="parent snapshot"):
            archive._load(ENGINE, contents, Heard())
    assert len(taken) == loads
    assert len(set(taken)) == 1
