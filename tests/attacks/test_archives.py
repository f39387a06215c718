"""Attacks by an image archive: it says one image and holds another, or is far larger than it looks."""

import ctypes
import gc
import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_dockerize.errors import InputError
from model_dockerize.image.archive import _inner_name
from tests.unit.image.test_contents import (
    LAYER,
    Files,
    blob,
    config,
    digest,
    docker_files,
    member,
    oci_files,
    pack,
    see,
)

MIB = 1 << 20
GOOD, EVIL = config(Labels={"who": "benign"}), config(Labels={"who": "hostile"})


def entry(manifest: bytes, **more: Any) -> dict[str, Any]:
    kind = "application/vnd.oci.image.manifest.v1+json"
    return {"mediaType": kind, "digest": f"sha256:{digest(manifest)}", **more}


def manifest_of(configuration: bytes) -> bytes:
    layers = [{"digest": f"sha256:{digest(LAYER)}"}]
    return json.dumps({"config": {"digest": f"sha256:{digest(configuration)}"}, "layers": layers}).encode()


def layout(*entries: dict[str, Any], saved: str = "") -> Files:
    """Return an OCI layout that holds both images; `saved`: the name that Docker's manifest gives to the good one."""
    files = dict(blob(content) for content in (GOOD, EVIL, LAYER, manifest_of(GOOD), manifest_of(EVIL)))
    files |= {"oci-layout": b"{}", "index.json": json.dumps({"manifests": list(entries)}).encode()}
    if saved:
        said = [{"Config": blob(GOOD)[0], "RepoTags": [saved], "Layers": [blob(LAYER)[0]]}]
        files["manifest.json"] = json.dumps(said).encode()
    return files


def named(name: str) -> dict[str, Any]:
    return {"annotations": {"io.containerd.image.name": f"docker.io/library/{name}"}}


def nested(*entries: dict[str, Any]) -> Files:
    index = json.dumps({"manifests": list(entries)}).encode()
    top = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{digest(index)}"}
    return layout(top) | dict([blob(index)])


ATTESTATION = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
AMD64, UNKNOWN = (
    {"platform": {"os": os, "architecture": machine}} for os, machine in (("linux", "amd64"), ("unknown", "unknown"))
)
TWO_FACES = {
    "index names another": layout(entry(manifest_of(EVIL), **named("benign:1")), saved="benign:1"),
    "index names both": layout(entry(manifest_of(GOOD)), entry(manifest_of(EVIL), **named("base:1")), saved="benign:1"),
    "index names it otherwise": layout(entry(manifest_of(GOOD), **named("python:3.13")), saved="benign:1"),
    "a second name in the index": layout(
        entry(manifest_of(GOOD), **named("benign:1")), entry(manifest_of(GOOD), **named("base:1")), saved="benign:1"
    ),
    "two images for one platform": nested(entry(manifest_of(GOOD)), entry(manifest_of(EVIL))),
    "an attestation that is an image": layout(
        entry(manifest_of(GOOD)), entry(manifest_of(EVIL), **ATTESTATION), saved="benign:1"
    ),
    "an attestation for a platform": nested(
        entry(manifest_of(GOOD), **AMD64), entry(manifest_of(EVIL), **ATTESTATION, **AMD64)
    ),
}


@pytest.mark.parametrize("what", TWO_FACES)
def test_an_archive_that_says_two_things_is_not_loaded(tmp_path: Path, what: str) -> None:
    with pytest.raises(InputError, match=r"says two things|holds several images"):
        see(tmp_path, pack(TWO_FACES[what]))


def test_what_agrees_is_taken(tmp_path: Path) -> None:
    """Show the other side: both manifests of one image, and an attestation of how it was built."""
    found = see(tmp_path, pack(layout(entry(manifest_of(GOOD), **named("benign:1")), saved="benign:1")))
    assert found.ids == (f"sha256:{digest(GOOD)}", f"sha256:{digest(manifest_of(GOOD))}")
    proved = nested(entry(manifest_of(GOOD), **AMD64), entry(manifest_of(EVIL), **ATTESTATION, **UNKNOWN))
    found = see(tmp_path, pack(proved))
    assert f"sha256:{digest(manifest_of(EVIL))}" not in found.ids
    several = (entry(manifest_of(GOOD), **named(name)) for name in ("a:1", "b:1"))
    assert see(tmp_path, pack(layout(*several))).names == ("a:1", "b:1")


@pytest.mark.parametrize("name", ["manifest.json", "./manifest.json", "x/../manifest.json", "index.json"])
def test_a_member_that_is_there_twice(tmp_path: Path, name: str) -> None:
    files = docker_files(GOOD) if "manifest" in name else oci_files(GOOD)
    with pytest.raises(InputError) as caught:
        see(tmp_path, pack(files, member(name)))
    assert any("it is there twice" in problem for problem in caught.value.details)


def bounded(folder: Path, packed: bytes) -> str:
    """Return the error about the archive; assert that little memory was taken to find it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what others left free would hide what this takes
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew; man 5 proc
    before = most_memory()
    with pytest.raises(InputError) as caught:
        see(folder, packed)
    taken = most_memory() - before
    assert taken < 24 * MIB, f"{taken / MIB:.0f} MiB"
    return str(caught.value)


def most_memory() -> int:
    """Return the most that this process has held in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def bomb(kind: bytes, size: int, fill: bytes = b"\0") -> bytes:
    """Return a packed header that says that `size` bytes of it follow."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, size
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size // MIB):
            file.write(fill * (MIB // len(fill)))
        file.write(bytes(1024))
    return stream.getvalue()


@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE], ids=repr
)
@pytest.mark.parametrize("fill", [b"\0", b"a", b"30 mtime=1234567890.123456789\n "[:32]])
def test_a_header_of_a_hundred_mebibytes(tmp_path: Path, kind: bytes, fill: bytes) -> None:
    assert "no image has" in bounded(tmp_path, bomb(kind, 100 * MIB, fill))


def test_a_second_header_is_as_bounded_as_the_first(tmp_path: Path) -> None:
    first = pack(docker_files(GOOD)).rstrip(b"\0")
    first += bytes(-len(first) % 512)
    assert "no image has" in bounded(tmp_path, gzip.compress(first) + bomb(tarfile.GNUTYPE_LONGNAME, 100 * MIB))


def test_a_map_of_holes_without_end(tmp_path: Path) -> None:
    sparse = tarfile.TarInfo("x")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1"}
    sparse.size = 4 * MIB
    head = sparse.tobuf(tarfile.PAX_FORMAT)
    numbers = b"99999999\n" + b"1\n" * (2 * MIB)
    assert bounded(tmp_path, gzip.compress(head + numbers, 1))


def test_files_with_holes_are_of_no_image(tmp_path: Path) -> None:
    sparse = member("holes", tarfile.GNUTYPE_SPARSE)
    with pytest.raises(InputError) as caught:
        see(tmp_path, pack(docker_files(GOOD), sparse))
    assert any("holes" in problem for problem in caught.value.details)


def test_members_without_end(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as file:
        for start in range(0, 21_000, 1000):
            file.write(b"".join(member(f"{number}").tobuf() for number in range(start, start + 1000)))
    assert "more than 20000 members" in bounded(tmp_path, stream.getvalue())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_indexes_that_name_each_other_many_times(tmp_path: Path, depth: int) -> None:
    files: Files = dict(blob(content) for content in (GOOD, manifest_of(GOOD), LAYER))
    below: dict[str, Any] = entry(manifest_of(GOOD))
    for _ in range(depth):
        index = json.dumps({"manifests": [below] * 20_000}).encode()
        files |= dict([blob(index)])
        below = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{digest(index)}"}
    files |= {"oci-layout": b"{}", "index.json": json.dumps({"manifests": [below] * 1000}).encode()}
    with pytest.raises(InputError, match="damaged"):  # and not after hours
        see(tmp_path, pack(files))


@pytest.mark.parametrize("pack_it", [gzip.compress, bytes])
def test_a_content_that_is_larger_than_the_bound(tmp_path: Path, pack_it: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InputError, match="no service runs that"):
        see(tmp_path, pack_it(pack({"x": bytes(3 * MIB)})), largest=2 * MIB)
    # What stands behind the end of the tar counts as what is in it.
    header = member("x", tarfile.DIRTYPE)
    header.size = 0
    with pytest.raises(InputError):
        see(tmp_path, pack_it(header.tobuf() + b"x" * (3 * MIB)), largest=2 * MIB)


def test_what_lies_at_the_place_of_an_archive_is_neither_waited_for_nor_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    real = tmp_path / "real"
    real.write_bytes(b"\x1f\x8b\x08\x08\0\0\0\0\0\0t-1.tar\0")
    (tmp_path / "link").symlink_to(real)
    assert [_inner_name(tmp_path / name) for name in ("pipe", "link", "absent", "real")] == ["", "", "", "t-1.tar"]
