"""The oldest engine that we support can build what our Dockerfiles use, and cannot build what they avoid.

Docker Engine 20.10 knows cache and secret mounts, but neither heredocs nor `COPY --link`. The day a test here that
expects a refusal fails, the floor has risen and the style may change.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from machine.host import MachineError
from rig.engine import Engine, floor_engine
from rig.small_base import SMALL_BASE as BASE
from rig.small_base import make_small_base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULT = "unix:///var/run/docker.sock"
TAG = "floor-test"
WORD = "a-word-that-no-layer-may-hold"

MOUNTS = f"""\
FROM {BASE}
ARG TURN
RUN --mount=type=cache,target=/cache,id=floor-test \\
    if [ "$TURN" = second ]; then cat /cache/note > /note; else echo from-the-first-build > /cache/note; fi
RUN --mount=type=secret,id=word,target=/run/word sha256sum < /run/word | cut -d' ' -f1 > /digest
"""
BARE = f"""\
FROM {BASE} AS base
RUN [ ! -e /etc/passwd ] && [ ! -e /etc/group ]
ENV LD_PRELOAD=liballocator.so
FROM base
USER 0:0
ARG LD_PRELOAD
ENV MODEL_LD_PRELOAD=$LD_PRELOAD
ENV LD_PRELOAD=
RUN ["/bin/env"]
"""
HEREDOC = f"FROM {BASE}\nRUN <<END\necho one\necho two\nEND\n"
LINK = f"FROM {BASE}\nCOPY --link Dockerfile /copied\n"


NEEDS_FLOOR = pytest.mark.needs("root-on-debian")


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Start an old engine of its own with a new client."""
    with floor_engine([make_small_base()]) as engine:
        assert engine.docker("version", "--format", "{{.Server.Version}}").stdout.startswith("20.10.")
        assert "buildx" in engine.docker("buildx", "version").stdout
        default = Engine(host=DEFAULT, log=tmp_path_factory.mktemp("default"))
        own, other = (one.docker("info", "--format", "{{.DockerRootDir}}").stdout for one in (engine, default))
        assert own
        assert other
        assert own != other
        yield engine


def write(folder: Path, dockerfile: str) -> Path:
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


@NEEDS_FLOOR
def test_cache_and_secret_mounts_work(floor: Engine, tmp_path: Path) -> None:
    context = write(tmp_path, MOUNTS)
    options = ("--secret", "id=word,env=FLOOR_TEST_WORD", "--load", "--tag", TAG)
    first = floor.build(context, *options, "--build-arg=TURN=first", env={"FLOOR_TEST_WORD": WORD})
    assert first.returncode == 0, first.stderr
    second = floor.build(context, *options, "--build-arg=TURN=second", env={"FLOOR_TEST_WORD": WORD})
    assert second.returncode == 0, second.stderr

    inside = floor.docker("run", "--rm", "--network=none", TAG, "cat", "/note", "/digest")
    note, digest = inside.stdout.split()
    assert note == "from-the-first-build"
    assert digest == hashlib.sha256(WORD.encode()).hexdigest()
    left = floor.docker("run", "--rm", "--network=none", TAG, "cat", "/run/word")
    assert left.stdout == ""
    assert WORD not in floor.docker("history", "--no-trunc", TAG).stdout + second.stderr + second.stdout


@NEEDS_FLOOR
def test_what_a_base_image_lacks_or_brings(floor: Engine, tmp_path: Path) -> None:
    context = write(tmp_path, BARE)
    for engine in floor, Engine(host=DEFAULT, log=tmp_path):
        built = engine.build(context, "--no-cache", "--output=type=cacheonly")
        assert built.returncode == 0, built.stderr
        assert "MODEL_LD_PRELOAD=liballocator.so" in built.stderr
        assert re.search(r" LD_PRELOAD=$", built.stderr, re.MULTILINE)


@NEEDS_FLOOR
def test_a_name_on_localhost_is_asked_of_no_other_registry(floor: Engine, tmp_path: Path) -> None:
    """Build from such a name, as the model server's image has one."""
    name = "localhost/floor-test/server:1"
    context = write(tmp_path, f"FROM {BASE}\nCOPY --from={name} /made /made\n")
    (tmp_path / "server").mkdir()
    server = write(tmp_path / "server", "FROM scratch\nCOPY Dockerfile /made\n")
    for engine in floor, Engine(host=DEFAULT, log=tmp_path):
        refused = engine.build(context, "--output=type=cacheonly")
        assert refused.returncode != 0
        assert "//localhost/v2/floor-test/server/" in refused.stderr
        assert "docker.io/floor-test" not in refused.stderr
        made = engine.build(server, "--load", "--tag", name)
        assert made.returncode == 0, made.stderr
        try:
            assert engine.build(context, "--output=type=cacheonly").returncode == 0
        finally:
            engine.docker("image", "rm", "--force", name)


@NEEDS_FLOOR
def test_newer_syntax_is_refused_there_and_not_on_the_default_engine(floor: Engine, tmp_path: Path) -> None:
    for dockerfile, complaint in (HEREDOC, "unknown instruction"), (LINK, "unknown flag: link"):
        context = write(tmp_path, dockerfile)
        refused = floor.build(context)
        assert refused.returncode != 0
        assert complaint in refused.stderr.lower()
        accepted = Engine(host=DEFAULT, log=tmp_path).build(context, "--output=type=cacheonly")
        assert accepted.returncode == 0, accepted.stderr


def test_an_image_that_the_default_engine_lacks_is_named_with_the_remedy() -> None:
    absent = "floor-test/absent"
    with pytest.raises(MachineError, match=rf"base_image\.py ensure {absent}"), floor_engine([absent]):
        pass
