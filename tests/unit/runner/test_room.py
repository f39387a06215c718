"""A job's places: how they are made, furnished, looked after and left."""

import fcntl
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from model_runner import room

from .conftest import tree


def place(folder: Path | None, own: bool = False) -> dict[str, Any]:
    return {"folder": None if folder is None else str(folder), "is_own_user": own}


@pytest.fixture(autouse=True)
def no_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(room, "IMAGE_HOME", str(tmp_path / "image"))


def test_a_folder_for_jobs_is_open_to_its_group_and_empty(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    (jobs / "old/deep").mkdir(parents=True)
    made = room.Room(place(jobs))
    assert tree(jobs) == {}
    made.leave()
    assert not jobs.exists()
    mask = os.umask(0o77)
    made = room.Room(place(jobs))
    assert os.umask(mask) == 0o77
    assert stat.S_IMODE(jobs.stat().st_mode) == 0o770
    home = Path(made.home)
    assert (home.parent, home.name[:11], stat.S_IMODE(home.stat().st_mode)) == (Path("/tmp"), "model-home-", 0o700)
    (home / "x").mkdir()
    made.renew()
    assert (tree(home), stat.S_IMODE(home.stat().st_mode)) == ({}, 0o700)
    (jobs / "x").touch()
    made.leave()
    assert not home.exists()
    assert not jobs.exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        room.Room(place(tmp_path / "gone/jobs"))


def test_without_a_folder_nothing_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").touch()
    made = room.Room(place(None))
    made.clear(None)
    made.leave()
    assert tree(tmp_path) == {"x": ""}


def test_a_home_that_is_empty_stays_and_any_other_is_renewed(tmp_path: Path) -> None:
    made = room.Room(place(None))
    home = Path(made.home)
    before = home.stat().st_ino
    made.renew()
    assert home.stat().st_ino == before
    assert room.is_empty(str(home))
    home.chmod(0o750)
    assert not room.is_empty(str(home))
    made.renew()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    (home / "x").touch()
    assert not room.is_empty(str(home))
    (tmp_path / "link").symlink_to(home)
    assert not room.is_empty(str(tmp_path / "link"))
    assert not room.is_empty(str(tmp_path / "gone"))
    made.leave()


def test_a_home_is_furnished_with_links_and_its_hidden_folders_are_its_own(tmp_path: Path) -> None:
    image, home = tmp_path / "image", tmp_path / "home"
    for name in ("data/words", ".cache/hub/model", ".cache/file"):
        (image / name).parent.mkdir(parents=True, exist_ok=True)
        (image / name).touch()
    (image / ".profile").touch()
    (image / ".linked").symlink_to("data")
    home.mkdir()
    room.furnish(str(home), str(image))
    assert tree(home) == {
        ".cache/": "", ".cache/file": f"-> {image}/.cache/file", ".cache/hub": f"-> {image}/.cache/hub",
        ".linked": f"-> {image}/.linked", ".profile": f"-> {image}/.profile", "data": f"-> {image}/data",
    }  # fmt: skip
    assert stat.S_IMODE((home / ".cache").stat().st_mode) == 0o700
    room.furnish(str(home), str(tmp_path / "gone"))
    assert room.names(str(tmp_path / "gone")) == []


def test_a_new_home_is_furnished_again(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image/data").touch()
    made = room.Room(place(None))
    for _ in range(2):
        assert tree(Path(made.home)) == {"data": f"-> {tmp_path}/image/data"}
        made.renew()
    made.leave()


def test_what_is_a_file_and_when_a_place_changed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    for name, found in (("file", True), ("link", False), (".", False), ("gone", False)):
        assert room.is_file(str(tmp_path / name)) is found
    assert room.change_of(str(tmp_path)) == tmp_path.stat().st_ctime_ns
    assert room.change_of(str(tmp_path / "gone")) is None


class Shared:
    """A place where every user may write, and how often it is looked at."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, user: int = 4321) -> None:
        self.folder = folder
        self.looks = 0
        self.changed: int | None = 10**9
        folder.mkdir()
        monkeypatch.setattr(room, "SHARED", (str(folder),))
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setattr(room, "ours", self.ours)
        monkeypatch.setattr(room, "change_of", lambda place: self.changed)

    def ours(self, place: str) -> set[str]:
        if place != str(self.folder):
            return set()
        self.looks += 1
        return {f"{place}/{path.name}" for path in self.folder.iterdir()}


def test_a_shared_place_is_looked_at_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "time", lambda: now)
    shared = Shared(tmp_path / "shared", monkeypatch)
    made = room.Room(place(None, own=True))  # changed long ago
    assert shared.looks == 2  # once to remove, once to keep
    made.renew()
    assert shared.looks == 2
    shared.changed = int((now - 0.0625) * 1e9)
    made.renew()
    assert shared.looks == 3
    made.renew()
    assert shared.looks == 3
    shared.changed = int((now - 0.03125) * 1e9)  # in the same tick it may change once more
    made.renew()
    made.renew()
    assert shared.looks == 5
    shared.changed = None
    made.renew()
    made.renew()
    assert shared.looks == 7
    made.leave()
    assert shared.looks == 8


def test_what_a_job_leaves_in_a_shared_place_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Shared(tmp_path / "shared", monkeypatch)
    (shared.folder / "of an earlier runner").touch()
    made = room.Room(place(None, own=True))
    assert tree(shared.folder) == {}
    (shared.folder / "kept").touch()
    made.settle()
    (shared.folder / "of a job").mkdir()
    shared.changed = 2 * 10**9
    made.renew()
    assert tree(shared.folder) == {"kept": ""}
    made.leave()
    assert tree(shared.folder) == {}


@pytest.mark.parametrize(("user", "own"), [(0, True), (4321, False)])
def test_what_is_shared_with_others_or_roots_stays(
    user: int, own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Shared(tmp_path / "shared", monkeypatch, user)
    (shared.folder / "x").touch()
    made = room.Room(place(None, own=own))
    made.renew()
    made.leave()
    assert tree(shared.folder) == {"x": ""}


def test_ours_is_what_has_our_user_links_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("/")
    assert room.ours(str(tmp_path)) == {f"{tmp_path}/a", f"{tmp_path}/link"}
    assert room.ours(str(tmp_path / "gone")) == set()
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    assert room.ours(str(tmp_path)) == set()


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of all homes, in which a minute passes at once."""
    made = tmp_path / "homes"
    made.mkdir()
    monkeypatch.setattr(room, "HOMES", str(made))
    monkeypatch.setattr(room, "YOUNG_SECONDS", -60.0)
    return made


def test_the_home_of_a_killed_runner_goes_with_the_next_start(homes: Path) -> None:
    for name in ("model-home-dead/.cache", "others", "x-model-home-1"):
        (homes / name).mkdir(parents=True)
    (homes / "model-home-dead/.cache/weights").write_text("large", encoding="utf-8")
    (homes / "model-home-file").touch()
    (homes / "model-home-link").symlink_to(homes / "others")
    made = room.Room(place(None))
    assert {path.name for path in homes.iterdir()} == {
        *("others", "x-model-home-1", "model-home-file", "model-home-link"),
        Path(made.home).name,
    }
    made.leave()


def test_a_home_in_use_stays(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = room.Room(place(None))
    second = room.Room(place(None))
    Path(first.home, "x").touch()
    first.renew()  # another folder of the same name
    third = room.Room(place(None))
    assert {str(path) for path in homes.iterdir()} == {first.home, second.home, third.home}
    for each in (first, second):
        each.leave()
    assert [str(path) for path in homes.iterdir()] == [third.home]
    os.close(third._lock)  # type: ignore[arg-type]  # as the kernel does when its runner is killed
    monkeypatch.setattr(room, "YOUNG_SECONDS", 60.0)
    room.remove_homes()
    assert Path(third.home).is_dir()  # it may be about to be locked
    monkeypatch.setattr(room, "YOUNG_SECONDS", -60.0)
    room.remove_homes()
    assert not Path(third.home).exists()


def test_a_home_that_is_renewed_while_another_runner_looks_stays(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = room.Room(place(None))
    used = Path(made.home, "x")
    used.touch()
    old, clock = Path(made.home).stat().st_ctime_ns, homes.parent / "clock"
    clock.touch()
    while clock.stat().st_ctime_ns < old + 2_000_000:  # the file system's clock
        clock.touch()
    flock = fcntl.flock

    def slow(held: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        made.renew()
        used.touch()
        flock(held, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    monkeypatch.setattr(room, "YOUNG_SECONDS", 0.0)
    monkeypatch.setattr(time, "time", lambda: (old + 1_000_000) / 1e9)
    room.remove_homes()
    assert fcntl.flock is flock
    assert used.exists()
    made.leave()


@pytest.mark.parametrize("work", ["renew", "leave"])
def test_a_runner_that_is_ended_in_the_midst_of_its_work_leaves_nothing(
    work: str, homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = room.Room(place(tmp_path / "jobs"))
    Path(made.home, "x").touch()
    close = os.close

    def end(held: int) -> None:
        monkeypatch.setattr(os, "close", close)
        close(held)
        made.leave()  # as the handler of SIGTERM does

    monkeypatch.setattr(os, "close", end)
    getattr(made, work)()
    assert os.close is close
    assert tree(homes) == {}
    assert not (tmp_path / "jobs").exists()


def test_the_lock_of_a_home_is_not_handed_to_a_program(homes: Path) -> None:
    made = room.Room(place(None))
    assert made._lock is not None
    assert not os.get_inheritable(made._lock)
    made.leave()
    assert made._lock is None
    assert room.lock(str(homes / "gone")) is None
