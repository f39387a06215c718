"""The places that a job may write to, and their cleanup."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from typing import Any, Dict, List, Optional, Set

from model_runner.data import remove

#: Where every user may write.
SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - nothing is made there under a name that others could know
#: HOME of the image's init script. What it left there, each job finds in its own.
IMAGE_HOME = "/home/model"
#: Where each runner makes the HOME of its jobs, and how the name begins.
HOMES, HOME = "/tmp", "model-home-"  # noqa: S108 - mkdtemp adds what nobody knows
#: A home that is younger may be one that its runner has yet to lock.
YOUNG_SECONDS = 60.0
#: Of the clock of file systems, with room to spare: it ticks at least a hundred times a second.
TICK_SECONDS = 0.05


class Room:
    def __init__(self, wanted: Dict[str, Any]) -> None:
        """Make them, without what an earlier runner of the same user left.

        Args:
            wanted: "folder" and "is_own_user", as runner.py explains them.
        """
        #: For input and output; None: they lie elsewhere.
        self.folder: Optional[str] = wanted["folder"]
        self._shared = SHARED if wanted["is_own_user"] and os.geteuid() != 0 else ()
        self._kept: Set[str] = set()
        #: When a shared place was last changed that holds nothing to remove; 0: one must look.
        self._quiet: Dict[str, Optional[int]] = {}
        if self.folder is not None:
            make(self.folder)
            self.clear(None)
        self._remove_ours()
        remove_homes()
        # Not in the folder of the job: that may lie on a network, where each change takes milliseconds.
        self.home = tempfile.mkdtemp(prefix=HOME, dir=HOMES)
        self._lock = lock(self.home)
        furnish(self.home, IMAGE_HOME)
        self.settle()

    def settle(self) -> None:
        """Keep what lies in shared places: no job ran yet."""
        self._kept = {path for place in self._shared for path in ours(place)}

    def clear(self, output: Optional[str]) -> None:
        """Remove all but a job's output."""
        if self.folder is None:
            return
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if path != output or not is_file(path):
                remove(path)

    def renew(self) -> None:
        """Renew HOME, and remove what is ours in shared places.

        Raises:
            OSError: another user has taken the name.
        """
        if not is_empty(self.home):
            remove(self.home)
            os.mkdir(self.home, 0o700)
            # A signal may call `leave` at any time: what is closed must be nobody's by then.
            before, self._lock = self._lock, lock(self.home)
            unlock(before)
            furnish(self.home, IMAGE_HOME)
        self._remove_ours()

    def leave(self) -> None:
        self._kept, self._quiet = set(), {}
        self.clear(None)
        remove(self.home)
        before, self._lock = self._lock, None
        unlock(before)
        self._remove_ours()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_ours(self) -> None:
        for place in self._shared:
            if change_of(place) != self._quiet.get(place, 0):
                for path in ours(place) - self._kept:
                    remove(path)
                # What changes within the same tick of the clock, the time of the change does not tell.
                changed = change_of(place)
                is_long_ago = changed is not None and changed < (time.time() - TICK_SECONDS) * 1e9
                self._quiet[place] = changed if is_long_ago else 0


def remove_homes() -> None:
    """Remove the homes of runners that were killed: one that runs holds a lock on its own."""
    grown = (time.time() - YOUNG_SECONDS) * 1e9
    for path in ours(HOMES):
        if os.path.basename(path).startswith(HOME) and (change_of(path) or 0) < grown:
            held = lock(path)
            # A runner that has renewed its home meanwhile let go of the folder of before.
            if held is not None and os.fstat(held).st_ctime_ns < grown:
                remove(path)
            unlock(held)


def lock(folder: str) -> Optional[int]:
    """Lock a folder until this process ends; None: another process holds it, or it is no folder."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def unlock(held: Optional[int]) -> None:
    if held is not None:
        os.close(held)


def furnish(home: str, source: str) -> None:
    """Link into a job's HOME what lies in the image's.

    A folder such as ~/.cache is its own, for many write there; what is in it are links again.
    """
    for name in names(source):
        path, place = os.path.join(source, name), os.path.join(home, name)
        if name.startswith(".") and os.path.isdir(path) and not os.path.islink(path):
            os.mkdir(place, 0o700)
            for inner in names(path):
                os.symlink(os.path.join(path, inner), os.path.join(place, inner))
        else:
            os.symlink(path, place)


def names(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def make(folder: str) -> None:
    """Make a folder for the server's group, by the set-group-ID bit of its parent.

    An earlier runner's is as good: nobody knew its name before, so it cannot be another's.
    """
    before = os.umask(0)
    try:
        os.mkdir(folder, 0o770)
    except FileExistsError:
        pass
    finally:
        os.umask(before)


def change_of(place: str) -> Optional[int]:
    """Return the change time in nanoseconds, which only root can forge; None: no folder."""
    try:
        return os.stat(place).st_ctime_ns
    except OSError:
        return None


def is_empty(folder: str) -> bool:
    """Tell whether this is an empty folder, no link, usable by its owner."""
    try:
        status = os.lstat(folder)
        return status.st_mode == stat.S_IFDIR | 0o700 and not os.listdir(folder)
    except OSError:
        return False


def is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def ours(place: str) -> Set[str]:
    user = os.geteuid()
    found = set()
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                try:
                    if entry.stat(follow_symlinks=False).st_uid == user:
                        found.add(entry.path)
                except OSError:
                    pass  # gone meanwhile
    except OSError:
        pass  # this image has no such place
    return found
