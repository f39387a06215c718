"""Archives of images, made here member by member: what they hold is found, and what no image has is refused."""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.errors import InputError
from model_dockerize.image import members
from model_dockerize.image.archive import check_room
from model_dockerize.image.contents import LARGEST, Contents, look
from model_dockerize.image.packing import zstd
from model_dockerize.image.store import BUILD_ID_LABEL

BUILD_ID = "0123456789abcdef" * 2
LAYER = random.Random(1).randbytes(5000)  # noqa: S311 - content that does not pack well, not a secret
OUR_STEPS = ["COPY x", f"LABEL {BUILD_ID_LABEL}={BUILD_ID}", "EXPOSE map[80/tcp:{}]", 'ENTRYPOINT ["x"]', "CMD []"]
Files = dict[str, bytes]


def config(architecture: str = "amd64", steps: list[str] | None = None, **settings: Any) -> bytes:
    history = [{"created_by": step} for step in steps or []]
    return json.dumps(
        {"os": "linux", "architecture": architecture, "config": settings, "rootfs": {}, "history": history}
    ).encode()


def ours(steps: list[str] = OUR_STEPS, environment: str = f"MODEL_BUILD_ID={BUILD_ID}") -> bytes:
    labels = {BUILD_ID_LABEL: BUILD_ID, "org.opencontainers.image.title": "iris"}
    return config(steps=steps, Labels=labels, Env=["PATH=/bin", environment], ExposedPorts={"80/tcp": {}, "53/udp": {}})


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def blob(content: bytes) -> tuple[str, bytes]:
    return f"blobs/sha256/{digest(content)}", content


def docker_files(configuration: bytes = config(), *names: str) -> Files:
    """Return the files that `docker save` wrote before version 25."""
    manifest = [{"Config": f"{digest(configuration)}.json", "RepoTags": list(names), "Layers": ["a/layer.tar"]}]
    return {
        f"{digest(configuration)}.json": configuration,
        "a/layer.tar": LAYER,
        "manifest.json": json.dumps(manifest).encode(),
    }


def oci_files(*configurations: bytes, names: dict[str, str] | None = None) -> Files:
    """Return an OCI layout; with several configurations, an index above them, as of an image for several platforms."""
    files, entries = dict([blob(LAYER)]), []
    for configuration in configurations:
        layers = [{"digest": f"sha256:{digest(LAYER)}"}]
        manifest = json.dumps({"config": {"digest": f"sha256:{digest(configuration)}"}, "layers": layers}).encode()
        files |= dict([blob(configuration), blob(manifest)])
        kind = "application/vnd.oci.image.manifest.v1+json"
        entries.append({"mediaType": kind, "digest": f"sha256:{digest(manifest)}", "annotations": names or {}})
    if len(entries) > 1:
        index = json.dumps({"manifests": entries}).encode()
        files |= dict([blob(index)])
        kind = "application/vnd.oci.image.index.v1+json"
        entries = [{"mediaType": kind, "digest": f"sha256:{digest(index)}"}]
    return files | {"oci-layout": b"{}", "index.json": json.dumps({"manifests": entries}).encode()}


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


def pack(files: Files, *more: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in more:
            tar.addfile(info)
    return stream.getvalue()


def see(folder: Path, packed: bytes, platform: str = "linux/amd64", largest: int = LARGEST) -> Contents:
    path = folder / "model_123abc.tar.gz"
    path.write_bytes(packed)
    return look(path, platform, largest)


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstd.compress])
@pytest.mark.parametrize(
    ("files", "names"),
    [
        (docker_files(ours(), "gx-images:t-1", "iris:2"), ("gx-images:t-1", "iris:2")),
        (docker_files(ours()), ()),
        (oci_files(ours()), ()),
        (oci_files(ours(), names={"io.containerd.image.name": "docker.io/library/iris:1"}), ("iris:1",)),
        (oci_files(ours(), names={"org.opencontainers.image.ref.name": "latest"}), ()),
    ],
)
def test_what_an_image_is_however_it_is_packed(
    tmp_path: Path, files: Files, names: tuple[str, ...], packed: Callable[[bytes], bytes]
) -> None:
    found = see(tmp_path, packed(pack(files)))

    assert found.names == names
    assert found.config == found.ids[0] == f"sha256:{digest(ours())}"
    assert (found.platform, found.ports, found.labels["org.opencontainers.image.title"]) == (
        "linux/amd64",
        (80,),
        "iris",
    )
    assert (found.claim, found.identity) == (BUILD_ID, digest(ours())[:32])
    assert found.size == sum(map(len, files.values()))


def test_an_oci_layout_gets_the_manifest_that_older_engines_need(tmp_path: Path) -> None:
    found = see(tmp_path, pack(oci_files(config(), names={"io.containerd.image.name": "foreign:1"})))

    assert json.loads(found.missing_manifest) == [
        {"Config": blob(config())[0], "RepoTags": ["foreign:1"], "Layers": [blob(LAYER)[0]]}
    ]
    assert see(tmp_path, pack(docker_files())).missing_manifest == b""


def test_of_several_platforms_it_is_the_engines(tmp_path: Path) -> None:
    packed = pack(oci_files(config("amd64"), config("arm64")))

    assert see(tmp_path, packed, "linux/arm64").platform == "linux/arm64"
    assert see(tmp_path, packed, "linux/s390x").platform == "linux/amd64"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (config(Labels={}), "a stranger's"),
        (config(steps=OUR_STEPS, Labels={BUILD_ID_LABEL: BUILD_ID}), "the environment says nothing"),
        (ours([*OUR_STEPS, "RUN pip install more"]), "a step more"),
        (ours([*OUR_STEPS, 'CMD ["other"]']), "another command"),
        (ours([*OUR_STEPS, "ENV X=1"]), "another environment"),
        (ours(["FROM scratch"]), "a label that no step set"),
        (ours(environment="MODEL_BUILD_ID=other"), "another id"),
    ],
)
def test_what_was_built_upon_our_image_is_not_our_build(tmp_path: Path, changed: bytes, why: str) -> None:
    found = see(tmp_path, pack(docker_files(changed)))

    assert found.claim == "", why
    assert found.identity == digest(changed)[:32]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (member("/etc/passwd"), "'/etc/passwd': an absolute path"),
        (member("a/../../x"), "'a/../../x': a path that leads out of the archive"),
        (member("a/l", tarfile.SYMTYPE, "/etc"), "'a/l': a link that leads out of the archive, to '/etc'"),
        (member("a/l", tarfile.SYMTYPE, "../../x"), "'a/l': a link that leads out of the archive, to '../../x'"),
        (member("l", tarfile.LNKTYPE, "../x"), "'l': a link that leads out of the archive, to '../x'"),
        (member("d", tarfile.CHRTYPE), "'d': neither a file nor a folder nor a link, but a device or a pipe"),
        (member("p", tarfile.FIFOTYPE), "'p': neither a file nor a folder nor a link, but a device or a pipe"),
    ],
)
def test_members_that_no_image_has_are_refused(tmp_path: Path, more: tarfile.TarInfo, problem: str) -> None:
    with pytest.raises(InputError, match="made to do harm") as refused:
        see(tmp_path, pack(docker_files(), more))
    assert refused.value.details == (problem,)


def test_links_within_the_archive_are_what_old_engines_wrote(tmp_path: Path) -> None:
    assert see(tmp_path, pack(docker_files(), member("b/layer.tar", tarfile.SYMTYPE, "../a/layer.tar"))).config


def test_all_problems_are_told_at_once_but_no_flood_of_them(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        see(tmp_path, pack(docker_files(), *(member(f"/{number}") for number in range(50))))
    assert refused.value.details[0] == "'/0': an absolute path"
    assert (len(refused.value.details), refused.value.details[-1]) == (11, "...")


_OTHER = {f"blobs/sha256/{digest(LAYER)}": LAYER + b"!"}


@pytest.mark.parametrize(
    ("packed", "message", "detail"),
    [
        (b"", "neither gzip nor zstd nor tar", ""),
        (b"just some text", "neither gzip nor zstd nor tar", ""),
        (gzip.compress(b"just some text", mtime=0), "damaged", ""),
        (gzip.compress(pack(docker_files()), mtime=0)[:3000], "damaged", ""),
        (zstd.compress(pack(docker_files()))[:3000], "damaged", ""),
        (pack(docker_files())[:3000], "damaged", ""),
        (pack({"etc/passwd": b"", "usr/bin/x": b""}), "no image", ""),
        (pack({"manifest.json": b"[]"}), "no image", ""),
        (pack({"manifest.json": b"not JSON"}), "no image", ""),
        (pack({"oci-layout": b"{}", "index.json": b"{}"}), "no image", ""),
        (pack({"manifest.json": b'[{"Config": 7}]'}), "not whole", "7"),
        (pack({"manifest.json": b'[{"Config": "x"}]', "x": b"[]"}), "no configuration", ""),
        (pack({"manifest.json": b"[7]"}), "not whole", ""),
        (pack({**docker_files(), "manifest.json": b"[{}, {}]"}), "holds 2 images", "one without a name"),
        (pack({key: value for key, value in docker_files().items() if "layer" not in key}), "not whole", "a/layer.tar"),
        (pack(oci_files(config()) | _OTHER), "damaged", "its content is another one"),
    ],
)
def test_what_is_no_archive_of_one_whole_image(tmp_path: Path, packed: bytes, message: str, detail: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        see(tmp_path, packed)
    assert any(detail in line for line in refused.value.details or ("",))


def test_what_docker_export_wrote_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        see(tmp_path, pack({"etc/passwd": b"", "usr/bin/x": b""}))
    assert "docker export" in refused.value.remedy


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        look(tmp_path / "gone.tar.gz", "linux/amd64")


def test_what_unpacks_to_more_than_the_disk_has_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"more than 0\.0 GB"):
        see(tmp_path, gzip.compress(pack({"zeros": bytes(1 << 20)})), largest=1 << 19)


def test_a_name_that_would_fill_the_memory_is_not_read_to_its_end() -> None:
    packed = pack({"x" * (2 << 20): b""})
    with pytest.raises(InputError, match="has names of more than 1 MiB"):
        members.read(Path("it"), io.BytesIO(packed), LARGEST)


def test_what_is_in_a_file_is_no_name_however_much_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_MOST_HEADERS", 1 << 16)
    found = members.read(Path("it"), io.BytesIO(pack({"weights": bytes(1 << 18), "more": bytes(1 << 18)})), LARGEST)
    assert found.size == 1 << 19


def test_of_documents_only_so_many_bytes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{number}.json": json.dumps({"a": "x" * 990}).encode() for number in range(10)}
    monkeypatch.setattr(members, "_DOCUMENTS", 3500)
    found = members.read(Path("it"), io.BytesIO(pack(files)), LARGEST)
    assert list(found.documents) == ["0.json", "1.json", "2.json"]
    assert len(found.names) == 10


def test_an_image_that_does_not_fit_is_told_before_it_is_loaded(tmp_path: Path) -> None:
    found = see(tmp_path, pack(docker_files()))

    check_room(found, None)
    check_room(found, 2 * found.size)
    with pytest.raises(InputError, match="while it is loaded"):
        check_room(found, 2 * found.size - 1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["manifests", "config", "digest", "Config", "Layers", "layers"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(manifest=_JSON, index=_JSON, inner=_JSON)
def test_any_documents_give_an_image_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, manifest: Any, index: Any, inner: Any
) -> None:
    documents = {"manifest.json": manifest, "index.json": index, "oci-layout": {}}
    files = {name: json.dumps(content).encode() for name, content in documents.items()}
    files |= dict([blob(json.dumps(inner).encode())])
    try:
        assert see(tmp_path_factory.mktemp("any"), pack(files)).config
    except InputError as error:
        assert "archive" in str(error) or "no image" in str(error)
