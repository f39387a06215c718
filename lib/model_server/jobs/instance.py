"""A running server's folder on the volume, whose file lock shows its death.

The kernel frees the lock however the process ends. The rest is worth nothing without the server.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: Of the id of an instance that is over and owns no job: removes its folder, as far as it can be.
Remove = Callable[[str], None]
#: Programs are other users. They may pass by, not look around.
_PASSABLE = 0o711
#: They may make a folder of their own, which is also our group's, and touch no other.
_OPEN = 0o3733


@dataclass(frozen=True)
class Instance:
    """A living server on a volume."""

    id: str
    folder: Path
    _lock: int

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def unregister(self, remove: Remove) -> None:
        """Remove the record; the server must own no jobs."""
        remove(self.id)
        os.close(self._lock)


def register(instances: Path) -> Instance:
    instance_id = uuid.uuid4().hex
    folder = instances / instance_id
    with _turn(instances):
        folder.mkdir()
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        # Without locks in the file system, our death is seen by the end of our leases.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    instance = Instance(instance_id, folder, lock)
    instance.uploads.mkdir(0o700)
    instance.work.mkdir()
    for place, mode in ((folder, _PASSABLE), (instance.work, _OPEN)):  # whatever the umask is
        place.chmod(mode)
    return instance


def find_dead(instances: Path) -> list[str]:
    """Return ids of instances whose server is certainly dead."""
    with _turn(instances):
        return [folder.name for folder in sorted(instances.iterdir()) if folder.is_dir() and _is_free(folder / "lock")]


def remover(instances: Path) -> Remove:
    """Return a remover of instance folders, as far as they are ours."""
    return lambda instance_id: shutil.rmtree(instances / instance_id, ignore_errors=True)


def _is_free(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True  # half made or half removed, and nobody is at it: we have the turn
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(lock)


@contextmanager
def _turn(instances: Path) -> Iterator[None]:
    """Lock out other servers: none may read a record before its locking."""
    turn = os.open(instances / ".turn", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):  # as in `register`
            fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)
