"""A model that comes as a finished image: what it is called, what stops it before anything is loaded."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from model_dockerize import image
from model_dockerize.errors import EngineError, InputError, ModelDockerizeError
from model_dockerize.image import builds
from model_dockerize.pipeline import download
from model_dockerize.pipeline.context import FromArchive, Run
from model_dockerize.report import Recorder
from model_dockerize.settings import Settings, to_settings
from model_dockerize.settings.sources import from_flags
from tests.rig.deployer import Quiet
from tests.rig.reports import so_far
from tests.unit.image.test_contents import BUILD_ID, OUR_STEPS, config, digest, docker_files, ours, pack

Look = Callable[..., tuple[FromArchive, Run]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Inspect an archive that holds an image of this configuration."""

    def inspect(
        configuration: bytes, file: str, environment: Mapping[str, str] | None = None, **flags: str
    ) -> tuple[FromArchive, Run]:
        path = tmp_path / file
        path.write_bytes(pack(docker_files(configuration, "gx-images:t-1")))
        run = Run(settings(from_archive=str(path), **flags), environment or {"HOME": str(tmp_path)}, Recorder(Quiet()))
        with run.recorder.stage("program") as stage:
            return download.inspect(run, path, stage), run

    return inspect


def settings(**flags: str) -> Settings:
    return to_settings([from_flags({name.replace("_", "-"): text for name, text in flags.items()})])


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("model_name_123abc.tar.gz", "model-name"),
        ("Iris-classifier_0f9e8d.docker.tar.gz", "iris-classifier"),
        ("Größen Modell 2.oci.tar.zst", "groessen-modell-2"),
        ("model.tgz", "model"),
        ("model_v2.tar", "model-v2"),
        ("model", "model"),
        ("_123abc.tar.gz", "123abc"),
    ],
)
def test_somebody_elses_image_is_called_as_its_file(look: Look, file: str, name: str) -> None:
    found, run = look(config(), file)

    assert (found.program.name, found.program.version, found.platform) == (name, "latest", "linux/amd64")
    identity = f"image-{digest(config())[:32]}"
    assert (found.build_id, found.made_here, found.expectation.build_id) == (identity, False, "")
    assert (so_far(run).build_id, so_far(run).image) == ("", "gx-images:t-1")


def test_an_image_that_says_it_is_a_build_of_ours_is_called_and_asked_as_it_says_and_is_none(look: Look) -> None:
    found, run = look(ours(), "x_123abc.tar.gz")

    assert (found.program.name, found.made_here, found.expectation.build_id) == ("iris", True, BUILD_ID)
    # The registry's tag for the build stays with whoever builds it.
    assert found.build_id == f"image-{digest(ours())[:32]}"
    assert so_far(run).build_id == ""


def test_an_image_that_was_built_here_is_the_build(look: Look, tmp_path: Path) -> None:
    home = {"MODEL_DOCKERIZE_HOME": str(tmp_path / "home")}
    builds.remember(home, BUILD_ID, f"sha256:{digest(ours())}")
    found, run = look(ours(), "x_123abc.tar.gz", environment=home)
    assert found.build_id == so_far(run).build_id == BUILD_ID
    changed = ours([*OUR_STEPS, "COPY hostile"])
    assert look(changed, "y.tar.gz", environment=home)[0].build_id == f"image-{digest(changed)[:32]}"


def test_the_settings_win(look: Look) -> None:
    found, _ = look(ours(), "x.tar.gz", image_name="other", image_version="7")

    assert (found.program.name, found.program.version) == ("other", "7")


def test_an_image_that_declares_another_port_is_warned_of(look: Look) -> None:
    _, run = look(config(ExposedPorts={"8080/tcp": {}}), "x.tar.gz")

    assert run.recorder.warnings == ("The image declares port 8080; a service asks port 80, as of every model.",)


def test_the_sample_is_what_the_settings_name_and_its_absence_is_told_at_once(look: Look, tmp_path: Path) -> None:
    sample = tmp_path / "in.csv"
    sample.write_text("a\n")
    found, _ = look(config(), "x.tar.gz", smoke_input=str(sample))
    assert (found.expectation.sample_input, found.expectation.input_type) == (sample, "text/csv; header=present")

    with pytest.raises(InputError) as refused:
        look(config(), "x.tar.gz", smoke_input=f"{sample}x", smoke_expected=f"{sample}y")
    assert refused.value.details == (f"smoke-input: {sample}x is no file", f"smoke-expected: {sample}y is no file")


def test_a_git_lfs_pointer_is_neither_an_archive_nor_a_sample(look: Look, tmp_path: Path) -> None:
    pointer = tmp_path / "pointer"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n")
    with pytest.raises(InputError, match=r"1 file is a Git LFS pointer, not the content: .*/pointer"):
        look(config(), "x.tar.gz", smoke_expected=str(pointer))
    run = Run(settings(from_archive=str(pointer)), {}, Recorder(Quiet()))
    with pytest.raises(InputError, match="Git LFS pointer"), run.recorder.stage("program") as stage:
        download.inspect(run, pointer, stage)


def test_what_builds_an_image_is_refused_beside_a_finished_one() -> None:
    with pytest.raises(InputError) as refused:
        settings(from_archive="x.tar.gz", command="python x.py", base_image="y", python_version="3.12")
    assert refused.value.details == (
        "--base-image: base-image is of no effect on the finished image of from-archive",
        "--python-version: python-version is of no effect on the finished image of from-archive",
        "--command: command is of no effect on the finished image of from-archive",
    )
    assert settings(from_archive="x.tar.gz", smoke_test="false").image.from_archive


@pytest.mark.parametrize(
    ("configuration", "changed", "error", "message"),
    [
        (config("s390x"), {}, EngineError, "for linux/s390x, and this Docker Engine runs linux/"),
        (config("s390x"), {"smoke_test": "false"}, None, ""),
        (config(), {"deploy_service": "false"}, InputError, "no command that AWS Batch could run"),
        (config(), {"deploy_service": "false", "create_job_def": "false"}, None, ""),
        (ours(), {"deploy_service": "false"}, None, ""),
        (config(), {}, None, ""),
    ],
)
def test_what_would_end_badly_is_told_before_anything_begins(
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
    configuration: bytes,
    changed: dict[str, str],
    error: type[ModelDockerizeError] | None,
    message: str,
) -> None:
    found, run = look(configuration, "x.tar.gz", **changed)
    monkeypatch.setattr("model_dockerize.image.platform._platforms", lambda _: frozenset({"linux/amd64"}))
    if error is None:
        download.check(run, found, _ENGINE)
    else:
        with pytest.raises(error, match=message):
            download.check(run, found, _ENGINE)


_ENGINE = image.Engine(
    version="26.1",
    api_version="1.45",
    platform="linux/amd64",
    buildx_version="0.13",
    containerd_store=True,
    cli=Path("/usr/bin/docker"),
    host="unix:///nowhere",
    context="default",
    environment={},
)
