"""The places of a job: what it leaves there is gone before the next one begins, whatever it did to keep it."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from model_runner import room
from model_runner.data import remove, show


def place(folder: Path | None, own: bool = False) -> dict[str, Any]:
    return {"folder": None if folder is None else str(folder), "is_own_user": own}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def here(tmp_path: Path) -> room.Room:
    made = room.Room(place(tmp_path / "jobs"))
    yield made
    made.leave()


def test_a_folder_goes_however_deep_and_closed_it_is(tmp_path: Path) -> None:
    deep = tmp_path / "top"
    before = Path.cwd()
    deep.mkdir()
    os.chdir(deep)
    for _ in range(1500):  # more than Python's recursion, and than a path of the kernel
        Path("d" * 10).mkdir()
        Path("file").write_text("x", encoding="utf-8")
        os.chdir("d" * 10)
    os.chdir(before)
    deep.chmod(0)
    remove(str(deep))
    assert not deep.exists()
    remove(str(deep))  # there is nothing


def test_only_the_output_stays_and_only_if_it_is_a_file(here: room.Room, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o770
    for name in ("out", "out.part", "input"):
        (folder / name).write_text(name, encoding="utf-8")
    (folder / "sub/sub").mkdir(parents=True)
    (folder / "link").symlink_to("/")
    here.clear(str(folder / "out"))
    assert names(folder) == ["out"]
    for made in (lambda path: path.symlink_to("/etc/passwd"), Path.mkdir):
        (folder / "out").unlink()
        made(folder / "out")
        here.clear(str(folder / "out"))
        assert names(folder) == []
        (folder / "out").touch()


def test_a_job_gets_a_new_home_whatever_the_last_did_with_it(here: room.Room, tmp_path: Path) -> None:
    home = Path(here.home)
    for spoil in (
        lambda: (home / "x").write_text("x", encoding="utf-8"),
        lambda: (home / "a/b").mkdir(parents=True),
        home.rmdir,
        lambda: (home.rmdir(), home.symlink_to(tmp_path)),
        lambda: (home.rmdir(), home.write_text("x", encoding="utf-8")),
    ):
        spoil()
        here.renew()
        assert home.is_dir()
        assert not home.is_symlink()
        assert names(home) == []
    assert tmp_path.is_dir()


def test_what_the_init_script_left_in_its_home_is_in_that_of_each_job_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "home"
    for name in ("nltk_data/words", ".cache/hub/model", ".config"):
        path = image / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    monkeypatch.setattr(room, "IMAGE_HOME", str(image))
    made = room.Room(place(tmp_path / "jobs"))
    home = Path(made.home)
    for _ in range(2):
        assert names(home) == [".cache", ".config", "nltk_data"]
        assert (home / "nltk_data/words").read_text(encoding="utf-8") == "nltk_data/words"
        assert (home / ".cache/hub/model").read_text(encoding="utf-8") == ".cache/hub/model"
        (home / ".cache/of this job").mkdir()
        (home / "words").touch()
        (home / "nltk_data").unlink()
        made.renew()
    made.leave()
    assert not home.exists()
    assert (image / "nltk_data/words").is_file()
    assert names(image / ".cache") == ["hub"]


def test_what_is_ours_in_shared_places_goes_but_what_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "left").touch()  # by an earlier runner
    monkeypatch.setattr(room, "SHARED", (str(shared), str(tmp_path / "absent")))
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    monkeypatch.setattr(room, "ours", lambda place: {f"{place}/{name}" for name in names(Path(place))})
    one = room.Room(place(None, own=True))
    assert names(shared) == []
    (shared / "of the fork server").touch()
    one.settle()
    (shared / "of a job").mkdir()
    one.renew()
    assert names(shared) == ["of the fork server"]
    one.leave()
    assert names(shared) == []


def test_what_belongs_to_others_in_shared_places_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").touch()
    assert room.ours(str(tmp_path)) == {str(tmp_path / "x")}
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    assert room.ours(str(tmp_path)) == set()


def test_an_output_that_is_no_file_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o600)
    (tmp_path / "link").symlink_to("file")
    show(str(tmp_path / "file"))
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
    with pytest.raises(OSError, match="no file"):
        show(str(tmp_path / "link"))
