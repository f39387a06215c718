"""Claims of images and archives, against a real engine: each is loaded as what it is, and is nobody's build."""

import gzip
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from model_dockerize import image
from model_dockerize.errors import InputError
from model_dockerize.progress import Silent
from tests.integration.conftest import Cli
from tests.rig.docker_command import docker

MADE_HERE = "The engine holds this build already"


def identity(name: str) -> str:
    return docker("image", "inspect", "--format", "{{.Id}}", name)


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Make images of somebody else's; return their names."""
    made = []

    def make(who: str, **labels: str) -> str:
        name = f"mdclaims-{who}-{secrets.token_hex(4)}:1"
        folder = tmp_path / name.partition(":")[0]
        folder.mkdir()
        lines = [f"LABEL {key.replace('_', '.')}={value}" for key, value in labels.items()]
        (folder / "Dockerfile").write_text("\n".join(["FROM scratch", "COPY who /who", *lines, 'CMD ["/who"]', ""]))
        (folder / "who").write_text(name)
        docker("build", "--quiet", "--tag", name, folder)
        made.append(name)
        return name

    yield make
    subprocess.run(["docker", "rmi", "--force", *made], capture_output=True, check=False)


@pytest.fixture
def engine() -> image.Engine:
    return image.probe(os.environ)


def saved(name: str, file: Path) -> Path:
    """Save the image as an archive; make the engine forget it."""
    docker("save", "--output", file, name)
    docker("rmi", name)
    return file


def looked_at(engine: image.Engine, archive: Path) -> image.Contents:
    return image.look(archive, engine.platform)


def test_an_image_with_the_label_of_a_build_is_not_that_build(
    cli: Cli, example: Callable[[str], Path], tmp_path: Path, stranger: Callable[..., str]
) -> None:
    folder = example("is-prime")
    (folder / "build.txt").write_text(secrets.token_hex(8))
    build_id = cli("dockerfile", folder, "--verbose").stdout.partition("build id")[2].split()[0]
    name = stranger("harmless", **{image.BUILD_ID_LABEL: build_id})
    loaded = cli("load", saved(name, tmp_path / "harmless.tar"))
    assert loaded.returncode == 0, loaded.stderr
    assert build_id not in loaded.stdout

    first = cli.run(folder, command="build")
    assert first.code == 0, first.verdict + first.log
    assert MADE_HERE not in first.log
    assert identity(first.report["image"]) != identity(name)
    again = cli.run(folder, command="build")
    assert MADE_HERE in again.log

    # Nor is it once the build has been here, and its image is the only one that says so.
    docker("rmi", "--force", first.report["image"])
    third = cli.run(folder, command="build")
    assert third.code == 0, third.verdict + third.log
    assert identity(third.report["image"]) != identity(name)


def test_an_archive_with_the_right_name_is_not_believed_but_read(
    cli: Cli, example: Callable[[str], Path], tmp_path: Path, stranger: Callable[..., str]
) -> None:
    folder = example("is-prime")
    (folder / "build.txt").write_text(secrets.token_hex(8))
    first = cli.run(folder, "--archive", tmp_path / "out", command="save")
    assert first.code == 0, first.verdict + first.log
    path, build_id = Path(first.report["archive"]), first.report["build_id"]
    cli.images.add(f"gx-images:t-{build_id}")
    held = path.stat()
    assert "is there already" in cli.run(folder, "--archive", tmp_path / "out", command="save").log
    assert path.stat().st_mtime_ns == held.st_mtime_ns

    plain = saved(stranger("hostile"), tmp_path / "plain.tar")
    with path.open("wb") as file, gzip.GzipFile(f"t-{build_id}.tar", "wb", 1, file, 0) as packed:
        packed.write(plain.read_bytes())
    again = cli.run(folder, "--archive", tmp_path / "out", command="save")
    assert again.code == 0, again.verdict + again.log
    assert "is there already" not in again.log
    assert image.look(path, "linux/amd64").claim == build_id


def test_what_was_loaded_is_compared_with_what_was_looked_at(
    tmp_path: Path, stranger: Callable[..., str], engine: image.Engine
) -> None:
    archives = {who: saved(stranger(who), tmp_path / f"{who}.tar") for who in ("benign", "hostile")}
    contents = looked_at(engine, archives["benign"])
    (name,) = contents.names
    hostile = looked_at(engine, archives["hostile"])

    shutil.copy(archives["hostile"], archives["benign"])  # since it was looked at
    with pytest.raises(InputError, match="holds another image"):
        image.load(engine, contents, Silent())
    for gone in (name, *hostile.names, *hostile.ids):
        assert not image.has(engine, gone)


def test_a_name_that_a_lying_archive_took_is_given_back(
    tmp_path: Path, stranger: Callable[..., str], engine: image.Engine
) -> None:
    hostile = stranger("hostile")
    archive = saved(hostile, tmp_path / "hostile.tar")
    mine = stranger("mine")
    docker("tag", mine, hostile)
    with pytest.raises(InputError, match="holds another image"):
        image.load(engine, replace(looked_at(engine, archive), layers=("sha256:other",)), Silent())
    assert identity(hostile) == identity(mine)


@pytest.mark.parametrize("changed", ["layers", "process", "ids"])
def test_every_part_is_compared(
    tmp_path: Path, stranger: Callable[..., str], engine: image.Engine, changed: str
) -> None:
    contents = looked_at(engine, saved(stranger("one"), tmp_path / "one.tar"))
    with pytest.raises(InputError, match="holds another image"):
        image.load(engine, replace(contents, **{changed: ("sha256:other",)}), Silent())
    loaded = image.load(engine, contents, Silent())
    assert image.held(engine, contents) == loaded
    assert image.held(engine, replace(contents, **{changed: ("sha256:other",)})) is None
