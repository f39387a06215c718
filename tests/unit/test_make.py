"""The stage `build`: what reaches the engine, whatever the environment holds."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import image, pipeline, smoke
from model_dockerize.errors import InputError
from model_dockerize.pipeline import download, make
from model_dockerize.pipeline.context import FromFolder, Run
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from model_dockerize.settings.sources import from_flags
from model_dockerize.smoke import Expectation, SmokeResult
from tests.rig.deployer import Quiet
from tests.rig.reports import so_far


def test_a_proxy_that_the_build_cannot_reach_is_warned_of_and_changes_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[image.BuildRequest] = []

    def build(_: Any, context: Any, request: image.BuildRequest, progress: Any) -> image.Image:
        requests.append(request)
        return image.Image(request.tags[0], "sha256:1", 1, "", None, "linux/amd64")

    monkeypatch.setattr(image, "find", lambda *_: None)
    monkeypatch.setattr(image, "server_image", lambda *_: None)
    monkeypatch.setattr(image, "build", build)
    model: Any = SimpleNamespace(name="iris", version="1", files=())
    expectation: Any = None
    prepared = FromFolder(model, "b", "linux/amd64", expectation, "FROM scratch", "1")
    settings = to_settings([from_flags({"pip-config": "pip.conf"})])
    run = Run(settings, {"https_proxy": "http://127.0.0.1:3128"}, Recorder(Quiet()))
    engine: Any = None
    built = make._build(run, prepared, engine, image.Cache("none"), "")
    assert (built.ref, requests[0].build_id, requests[0].tags) == ("iris:1", "b", ("iris:1",))
    assert requests[0].secrets == {"pip-config": settings.program.pip_config}
    assert run.recorder.warnings == (
        "https_proxy names a proxy on this computer's loopback, where a build cannot reach it.",
    )


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        (None, "input.csv (text/csv)"),
        ("expected.csv", "input.csv (text/csv), mapped by mapping.json, must answer expected.csv"),
    ],
)
def test_the_sample_that_was_found_is_named(expected: str | None, told: str) -> None:
    sample = SimpleNamespace(input=Path("smoke/input.csv"), input_type="text/csv", mapping=None, expected=None)
    if expected:
        sample.mapping, sample.expected = Path("smoke/mapping.json"), Path("smoke", expected)
    found: Any = SimpleNamespace(
        **{"sample": sample, "base_image": "debian", "init_file": "", "system_packages": (), "command": ("run",)},
        **{"license_public_key": "", "packages": SimpleNamespace(source="none")},
    )
    for model, words in ((found, told), (SimpleNamespace(**{**vars(found), "sample": None}), "none")):
        assert f"sample: {words}" in "\n".join(make._findings(model, "linux/amd64"))


@pytest.mark.parametrize(
    ("environment", "remedy"),
    [({}, "Correct its path."), ({"GITHUB_WORKSPACE": "/github/workspace"}, "name a file of the workspace")],
)
@pytest.mark.parametrize("name", ["ca-bundle", "pip-config"])
def test_what_the_build_is_given_is_a_file(tmp_path: Path, name: str, environment: dict[str, str], remedy: str) -> None:
    run = Run(to_settings([from_flags({name: str(tmp_path)})]), environment, Recorder(Quiet()))
    nothing: Any = SimpleNamespace(program=None)
    with pytest.raises(InputError, match=f"{name}: .* is no file") as refused:
        make._check(run, nothing, nothing)
    assert remedy in refused.value.remedy


def test_a_missing_sample_is_told_once_in_a_run_with_the_command_that_makes_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text("print()\n")
    monkeypatch.setattr(smoke, "check", lambda *_: SmokeResult("http://m", ()))
    run = Run(to_settings([from_flags({"program-path": str(tmp_path)})]), {}, Recorder(Quiet()))
    for name in ("smoke-local", "smoke-deployed"):
        with run.recorder.stage(name) as stage:
            make.prove(run, make.inspect(run, stage), (), stage)
    (told,) = [warning for warning in run.recorder.warnings if "no job is tried" in warning]
    assert f"Add one real input as {tmp_path.resolve()}/smoke/input.csv (or .json, .txt, ...), " in told
    assert told.endswith(f": model-dockerize init {tmp_path.resolve()}")


def test_a_missing_sample_of_an_archive_is_no_matter_of_a_folder() -> None:
    assert "folder" not in Expectation("b").without_sample
    assert "smoke-input" in Expectation("b").without_sample


def test_an_archive_says_how_to_run_it_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built = image.Image("iris:1", "sha256:1", 1, "b", None, "linux/amd64")
    archive = image.Archive(tmp_path / "iris_123abc.docker.tar.gz", "gx-images:t-1", 1000)
    monkeypatch.setattr(make, "obtain", lambda *_: built)
    monkeypatch.setattr(image, "save", lambda *_: archive)
    flags = {"archive": str(tmp_path), "smoke-test": "false", "push-to-ecr": "false"}
    run = Run(to_settings([from_flags(flags)]), {}, Recorder(Quiet()))
    prepared: Any = SimpleNamespace(program=SimpleNamespace(name="iris"))
    nothing: Any = None
    make.build(run, prepared, nothing, nothing)
    assert so_far(run).headline == (
        f"gx-images:t-1. Elsewhere: docker load -i {archive.path}, docker run --rm -p 9090:80 gx-images:t-1"
    )


def test_an_archive_that_is_loaded_says_how_to_run_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded = image.Image("gx-images:t-1", "sha256:1", 1, "b", None, "linux/amd64")
    contents: Any = SimpleNamespace(claim="", ids=())
    monkeypatch.setattr(image, "probe", lambda _: SimpleNamespace(platform="linux/amd64"))
    monkeypatch.setattr(download, "look", lambda *_: contents)
    monkeypatch.setattr(download, "load", lambda *_: loaded)
    run = Run(to_settings([]), {"HOME": str(tmp_path)}, Recorder(Quiet()))
    pipeline.load(run, tmp_path / "iris.tar")
    assert so_far(run).headline == "gx-images:t-1. Run it: docker run --rm -p 9090:80 gx-images:t-1"


@pytest.mark.parametrize("several", [{"desired-count": "2"}, {"max-count": "3"}])
def test_several_tasks_behind_a_load_balancer_share_their_jobs(several: dict[str, str]) -> None:
    balanced = {"load-balancer": "true", **several}
    with pytest.raises(InputError, match="several tasks behind a load balancer") as caught:
        make._check_tasks(to_settings([from_flags(balanced)]).service)
    assert "(queue-url) and a volume" in caught.value.remedy
    shared = {"queue-url": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:q-AbCdEf", "volume": "jobs"}
    make._check_tasks(to_settings([from_flags({**balanced, **shared})]).service)
    make._check_tasks(to_settings([from_flags(several)]).service)
