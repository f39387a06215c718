"""Saving and loading tell how much of an archive is done."""

import gzip
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.image import archive, look
from tests.unit.image.test_contents import docker_files, ours, pack
from tests.unit.program.folder import Heard


def engine(monkeypatch: pytest.MonkeyPatch, image: bytes = b"") -> bytearray:
    """Stand in for one that holds an image of these bytes; returns what is loaded into it."""
    taken = bytearray()

    def load(stream: Iterable[bytes], **_: object) -> Iterable[dict[str, str]]:
        for part in stream:
            taken.extend(part)
        return [{"stream": "Loaded image: gx-images:t-1"}]

    api = SimpleNamespace(get_image=lambda _: iter((image[:10], image[10:])), load_image=load)
    monkeypatch.setattr(archive, "connect", lambda _: SimpleNamespace(api=api, close=lambda: None))
    return taken


def test_saving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine(monkeypatch, b"x" * 25)
    heard, path = Heard(), tmp_path / "a.docker.tar.gz"
    nothing: Any = None
    archive._write(nothing, "iris:1", path, "b", 25, heard)
    assert heard.transfers == [("saving", 10, 25), ("saving", 25, 25)]
    assert gzip.decompress(path.read_bytes()) == b"x" * 25


@pytest.mark.parametrize("is_packed", [False, True])
def test_loading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_packed: bool) -> None:
    content = pack(docker_files(ours(), "gx-images:t-1"))
    path = tmp_path / "iris.tar"
    path.write_bytes(gzip.compress(content) if is_packed else content)
    taken = engine(monkeypatch)
    heard = Heard()
    nothing: Any = None
    assert archive._load(nothing, look(path, "linux/amd64"), heard) == ["gx-images:t-1"]
    assert bytes(taken) == path.read_bytes()
    what, done, total = heard.transfers[-1]
    assert (what, done) == ("loading", len(taken))
    assert done - 10_000 < total <= done  # of a plain archive without the padding of its members
