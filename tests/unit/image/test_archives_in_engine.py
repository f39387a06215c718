"""An archive is written and loaded: what the engine is asked for, what is said, and what remains."""

import gzip
import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_dockerize.errors import EngineError, InputError
from model_dockerize.image import Archive, Contents, Image, held, load, look, save
from model_dockerize.image.archive import archive_tag, check_room
from tests.rig.engine_api import EngineApi
from tests.unit.image.test_contents import BUILD_ID, docker_files, oci_files, ours, pack
from tests.unit.program.folder import Heard

TAG = f"gx-images:t-{BUILD_ID}"
IMAGE = Image("iris:1", "sha256:1", 12, BUILD_ID, None, "linux/amd64")
CONTENT = b"tar of iris"
TAGGED = f"POST /images/sha256:1/tag?tag=t-{BUILD_ID}&repo=gx-images&force=0"
GET = f"GET /images/{TAG}/get"
FILE = "my-iris_012345.docker.tar.gz"
DAMAGED = "The engine does not take the archive"


def saving(api: EngineApi, content: bytes = CONTENT) -> None:
    api.answers |= {"POST /images/sha256:1/tag": "", GET: content}


def test_an_image_is_written_under_the_name_of_its_build(api: EngineApi, tmp_path: Path) -> None:
    saving(api)
    heard, folder = Heard(), tmp_path / "deep" / "er"
    assert save(api.engine(), IMAGE, folder, "my iris", heard) == Archive(
        folder / FILE, TAG, (folder / FILE).stat().st_size
    )
    packed = (folder / FILE).read_bytes()
    assert gzip.decompress(packed) == CONTENT
    assert packed[:10] == b"\x1f\x8b\x08\x08\0\0\0\0\x02\xff"  # no time in it: the same image makes the same file
    assert packed[10:].startswith(f"t-{BUILD_ID}.tar\0".encode())
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert api.asked == [TAGGED, GET]
    assert heard.infos == [f"Saved {TAG} to {folder / FILE} ({len(packed) / 1e6:.1f} MB)."]
    assert heard.transfers == [("saving", len(CONTENT), 12)]


def test_how_large_a_packed_store_will_be_is_not_guessed(api: EngineApi, tmp_path: Path) -> None:
    saving(api)
    heard = Heard()
    save(api.engine(containerd_store=True), IMAGE, tmp_path, "my iris", heard)
    assert heard.transfers == [("saving", len(CONTENT), 0)]


def known(contents: Contents, **more: Any) -> dict[str, Any]:
    """Return the image of an archive as an engine shows it."""
    names = ("Entrypoint", "Cmd", "Env", "User", "WorkingDir")
    config = {name: json.loads(text) for name, text in zip(names, contents.process, strict=True)}
    shown = {"Id": contents.config, "RootFS": {"Layers": list(contents.layers) or None}, "Config": config}
    return {**shown, "Os": "linux", "Architecture": "amd64", "Size": 12, **more}


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    path = tmp_path / "iris.tar"
    path.write_bytes(pack(docker_files(ours(), "iris:2", TAG)))
    return look(path, "linux/amd64")


def test_an_archive_that_holds_it_already_stays(api: EngineApi, tmp_path: Path, contents: Contents) -> None:
    saving(api, contents.path.read_bytes())
    image = replace(IMAGE, id=contents.config)
    api.answers |= {f"POST /images/{image.id}/tag": "", f"GET /images/{image.id}/json": known(contents)}
    first = save(api.engine(), image, tmp_path, "my iris", Heard())
    heard = Heard()
    api.asked.clear()
    assert save(api.engine(), image, tmp_path, "my iris", heard) == first
    assert heard.infos == [f"The archive {first.path} is there already and holds this image."]
    assert GET not in api.asked


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packed: b"another file",
        lambda packed: packed[:-20],  # the head is right, the rest is not
        lambda packed: packed[:3] + b"\x18" + packed[4:],  # more than the name is in its head
        lambda packed: gzip.compress(gzip.decompress(packed)),  # another build, or another program's
    ],
)
def test_a_file_that_does_not_hold_it_is_written_again(
    api: EngineApi, tmp_path: Path, contents: Contents, spoil: Callable[[bytes], bytes]
) -> None:
    saving(api, contents.path.read_bytes())
    image = replace(IMAGE, id=contents.config)
    api.answers |= {f"POST /images/{image.id}/tag": "", f"GET /images/{image.id}/json": known(contents)}
    path = save(api.engine(), image, tmp_path, "my iris", Heard()).path
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    save(api.engine(), image, tmp_path, "my iris", Heard())
    assert path.read_bytes() == whole


def test_where_nothing_can_be_written_it_is_said_and_nothing_is_left(api: EngineApi, tmp_path: Path) -> None:
    saving(api)
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as refused:
        save(api.engine(), IMAGE, tmp_path / "file", "iris", Heard())
    assert str(refused.value) == (
        f"The archive {tmp_path}/file/iris_012345.docker.tar.gz cannot be written: File exists"
    )
    assert refused.value.remedy == "Name a directory that is writable and has room for the image."
    api.answers[GET] = ConnectionError("the engine went")
    with pytest.raises(InputError, match="cannot be written: the engine went"):
        save(api.engine(), IMAGE, tmp_path, "iris", Heard())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("identity", ["", "0" * 31, "0" * 33, "A" * 32, f"{'0' * 32}\n"])
def test_without_a_build_there_is_no_name_for_an_archive(identity: str) -> None:
    with pytest.raises(EngineError) as refused:
        archive_tag(identity)
    assert str(refused.value) == (
        f"The image has no build id of 32 hexadecimal digits (it has {identity!r}), so its archive has no name."
    )
    assert refused.value.remedy == "Build the image with model-dockerize."
    assert archive_tag(BUILD_ID) == TAG


def test_an_image_needs_room_packed_and_unpacked(contents: Contents) -> None:
    large = replace(contents, size=10**9)
    for free in (None, 2 * 10**9):
        check_room(large, free)
    with pytest.raises(InputError) as refused:
        check_room(large, 2 * 10**9 - 1)
    assert str(refused.value) == (
        f"The image in {contents.path} needs 2.0 GB while it is loaded, and "
        "2.0 GB are free where Docker Engine keeps images."
    )
    assert refused.value.remedy == "Make room (`docker system df` says what takes it), and repeat."


def loading(api: EngineApi, contents: Contents, *said: str, **more: Any) -> None:
    events = [{"stream": f"{line}\n"} for line in said or [f"Loaded image: {name}" for name in contents.names]]
    api.answers["POST /images/load"] = b"".join(json.dumps(event).encode() for event in events)
    for ref in (*contents.names, *contents.ids):
        api.answers[f"GET /images/{ref}/json"] = known(contents, **more)
        api.answers[f"POST /images/{ref}/tag"] = ""


def places(api: EngineApi) -> list[str]:
    return [each[0] if isinstance(each, tuple) else each for each in api.asked]


def test_an_archive_is_loaded_under_its_names(api: EngineApi, contents: Contents) -> None:
    loading(api, contents)
    heard = Heard()
    image = load(api.engine(), contents, heard)
    assert image == Image("iris:2", contents.config, 12, "", None, "linux/amd64")
    assert heard.infos == ["Loaded image: iris:2"]
    assert ("POST /images/load?quiet=True", contents.path.read_bytes()) in [
        (place, body) for place, body in (each for each in api.asked if isinstance(each, tuple))
    ]
    assert [place for place in places(api) if place.startswith("POST")] == [
        "POST /images/load?quiet=True",
        f"POST /images/{contents.config}/tag?tag=2&repo=iris&force=0",
        f"POST /images/{contents.config}/tag?tag=t-{BUILD_ID}&repo=gx-images&force=0",
    ]


def test_without_a_name_it_gets_that_of_what_it_is(api: EngineApi, tmp_path: Path) -> None:
    path = tmp_path / "iris.tar"
    path.write_bytes(gzip.compress(pack(docker_files(ours()))))
    contents = look(path, "linux/amd64")
    loading(api, contents, f"Loaded image ID: {contents.config}")
    assert load(api.engine(), contents, Heard()).ref == f"gx-images:t-{contents.config[7:39]}"
    assert ("POST /images/load?quiet=True", path.read_bytes()) in api.asked


def test_what_the_engine_holds_already_is_not_loaded(api: EngineApi, contents: Contents) -> None:
    assert held(api.engine(), contents) is None
    loading(api, contents)
    found = held(api.engine(), contents)
    assert found == Image("iris:2", contents.config, 12, "", None, "linux/amd64")
    assert not [place for place in places(api) if "load" in place]
    loading(api, contents, Config={"Cmd": ["sh"]})
    assert held(api.engine(), contents) is None


@pytest.mark.parametrize(
    "more", [{"Config": {"Cmd": ["sh"]}}, {"Config": None}, {"RootFS": {"Layers": ["sha256:x"]}}, {"Id": "sha256:x"}]
)
def test_an_image_that_is_another_than_the_archive_says_is_not_kept(
    api: EngineApi, contents: Contents, more: dict[str, Any]
) -> None:
    loading(api, contents, **more)
    before = known(contents, Id="sha256:former")
    api.answers["GET /images/iris:2/json"] = deque([before, before, *[known(contents, **more)] * 4])
    api.answers["GET /images/sha256:former/json"] = before
    api.answers["POST /images/sha256:former/tag"] = ""
    api.answers["DELETE /images/iris:2"] = []
    api.answers[f"GET /images/{TAG}/json"] = deque([(404, "No such image"), *[known(contents, **more)] * 4])
    with pytest.raises(InputError) as refused:
        load(api.engine(), contents, Heard())
    assert str(refused.value) == (
        f"The archive {contents.path} holds another image than the one that it says: nothing of it is kept."
    )
    assert refused.value.remedy == "Ask where it came from."
    assert refused.value.details == ("the engine took iris:2 out of it", f"the engine took {TAG} out of it")
    assert places(api)[-4:] == [
        "DELETE /images/iris:2?force=False&noprune=False",
        f"DELETE /images/{TAG}?force=False&noprune=False",
        "GET /images/sha256:former/json",
        "POST /images/sha256:former/tag?tag=2&repo=iris&force=0",
    ]


def test_a_name_that_the_archive_did_not_say_is_not_kept(api: EngineApi, contents: Contents) -> None:
    loading(api, contents, "Loaded image: iris:2", "Loaded image: debian:12")
    api.answers["GET /images/debian:12/json"] = known(contents)
    with pytest.raises(InputError) as refused:
        load(api.engine(), contents, Heard())
    assert refused.value.details == ("the engine took iris:2 out of it", "the engine took debian:12 out of it")
    assert "DELETE /images/debian:12?force=False&noprune=False" in api.asked


LOST = (500, "failed to prepare x: parent snapshot sha256:1 does not exist: not found")


@pytest.mark.parametrize(
    ("answers", "asked", "sentence"),
    [
        ([(400, "no space left on device")], 1, "no space left on device"),
        ([{"error": "unexpected EOF"}], 1, "unexpected EOF"),
        ([{"message": "invalid tar header"}], 1, "invalid tar header"),
        ([{}], 1, ""),
        ([LOST, LOST, LOST], 3, LOST[1]),
        ([LOST, LOST, {"stream": "Loaded image: iris:2"}], 3, None),
    ],
)
def test_an_archive_that_the_engine_does_not_take_is_tried_again_where_a_layer_was_lost(
    api: EngineApi, contents: Contents, answers: list[Any], asked: int, sentence: str | None
) -> None:
    loading(api, contents)
    api.answers["POST /images/load"] = deque(answers)
    if sentence is None:
        assert load(api.engine(), contents, Heard()).ref == "iris:2"
    else:
        with pytest.raises(InputError) as refused:
            load(api.engine(), contents, Heard())
        assert str(refused.value) == f"{DAMAGED} {contents.path}: {sentence}"
        assert refused.value.remedy == "Download it again."
    assert places(api).count("POST /images/load?quiet=True") == asked


def test_an_engine_without_the_containerd_store_gets_the_manifest_that_it_reads(api: EngineApi, tmp_path: Path) -> None:
    path = tmp_path / "iris.tar.gz"
    files = oci_files(ours(), names={"io.containerd.image.name": "docker.io/library/iris:1"})
    path.write_bytes(gzip.compress(pack(files)))
    contents = look(path, "linux/amd64")
    loading(api, contents)
    heard = Heard()
    load(api.engine(), contents, heard)
    ((_, sent),) = [each for each in api.asked if isinstance(each, tuple)]
    taken = tmp_path / "taken.tar"
    taken.write_bytes(sent)
    assert look(taken, "linux/amd64").names == contents.names
    assert sent.endswith(pack(files))
    head = sent.removesuffix(pack(files))
    assert len(head) % 512 == 0 and head[512:].rstrip(b"\0") == contents.missing_manifest
    assert heard.transfers[-1] == ("loading", len(sent), contents.size)
