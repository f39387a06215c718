"""The data directory: owner and layout."""

import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model_server.errors import VolumeError

_MARKER = "model-volume.json"
_LAYOUT = 1
#: Several kernels may write there at once, or mmap is not shared: no write-ahead log for SQLite.
_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "ocfs2", "gfs2", "virtiofs"}
)


@dataclass(frozen=True)
class Volume:
    """A data directory of this model."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "jobs.sqlite3"

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def instances(self) -> Path:
        return self.root / "instances"


def prepare(root: Path) -> None:
    """Make the image's data directory; a new named volume takes over its mode."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o1777)
    except OSError as error:
        raise VolumeError(f"cannot make the data directory {root}: {error.strerror}") from error


def claim(root: Path, model: str, owner: tuple[int, int] | None) -> Volume:
    """Make `root` the volume of `model`, or raise VolumeError.

    Args:
        owner: uid and gid of the later user, if we are root.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        _mark(root, model)
        volume = Volume(root)
        for folder in (volume.inputs, volume.results, volume.instances):
            folder.mkdir(mode=0o700, exist_ok=True)
        if owner is not None:
            _give(root, owner)
        _shut(volume)
    except OSError as error:
        raise _unusable(root, error) from error
    return volume


def is_read_only(root: Path) -> bool:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            return False
    except OSError as error:
        return error.errno == errno.EROFS


def check(volume: Volume) -> None:
    """Raise VolumeError if jobs cannot be kept there."""
    place = volume.root
    try:
        for place in (volume.root, volume.inputs, volume.results, volume.instances):
            with tempfile.TemporaryFile(dir=place):
                pass
        for place in volume.root.glob(f"{volume.database.name}*"):
            with place.open("r+b"):
                pass
    except OSError as error:
        raise _unusable(place, error) from error


def is_owned(root: Path, model: str) -> bool:
    """Tell whether `model` still owns it: another may be mounted."""
    try:
        return bool(json.loads((root / _MARKER).read_text(encoding="utf-8"))["model"] == model)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def is_mounted(path: Path, mountinfo: str) -> bool:
    """Tell by /proc/self/mountinfo (man 5 proc) whether a volume is at `path`."""
    return any(point == path.resolve() for point, _ in _mounts(mountinfo))


def is_on_network(path: Path, mountinfo: str) -> bool:
    """Tell whether `path` is on a network file system."""
    resolved = path.resolve()
    best, kind = -1, ""
    for point, found in _mounts(mountinfo):
        if len(point.parts) >= best and resolved.is_relative_to(point):
            best, kind = len(point.parts), found
    return kind in _NETWORK_FILE_SYSTEMS or kind.startswith("fuse")


def _mounts(mountinfo: str) -> Iterator[tuple[Path, str]]:
    # Each mount point with its kind of file system.
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if separator and len(fields) >= 5:
            yield Path(fields[4].replace("\\040", " ")), right.split()[0]


def _unusable(place: Path, error: OSError) -> VolumeError:
    hint = "mount a volume that this user may write to, or name another directory by GAI_VOLUME_PATH"
    return VolumeError(f"the data directory {place} cannot be used by user {os.geteuid()}: {error.strerror}; {hint}")


def _mark(root: Path, model: str) -> None:
    marker = root / _MARKER
    if not marker.exists():
        with tempfile.NamedTemporaryFile("w", dir=root, encoding="utf-8", delete=False) as file:
            json.dump({"model": model, "layout": _LAYOUT}, file)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        try:
            # A link fails if another server was faster; a rename would overwrite its mark.
            os.link(file.name, marker)
        except FileExistsError:
            pass
        finally:
            Path(file.name).unlink()
    try:
        content = json.loads(marker.read_text(encoding="utf-8"))
        found, layout = content["model"], content["layout"]
    except (ValueError, KeyError, TypeError) as error:
        raise VolumeError(f"the marker file {marker} is damaged; restore it, or mount another volume") from error
    if found != model:
        raise VolumeError(
            f"the data volume {root} belongs to the model {found!r}, this image is {model!r}; "
            "nothing was changed; every model needs a volume of its own"
        )
    if layout != _LAYOUT:
        raise VolumeError(f"the data volume {root} has layout {layout}, this server reads {_LAYOUT}; use a newer image")


def _shut(volume: Volume) -> None:
    # Programs are other users, who only pass through to their own folders.
    modes = {volume.root: 0o711, volume.inputs: 0o700, volume.results: 0o700, volume.instances: 0o711}
    modes |= {path: 0o600 for path in volume.root.iterdir() if path.name != _MARKER and _is_file(path)}
    for path, mode in modes.items():
        with suppress(PermissionError, FileNotFoundError):  # another user's; another server's, which was just renamed
            if stat.S_IMODE(path.stat().st_mode) != mode:
                path.chmod(mode)


def _is_file(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def _give(root: Path, owner: tuple[int, int]) -> None:
    # The marker last, so that an interrupted start does it again.
    uid, gid = owner
    marker = root / _MARKER
    status = marker.stat()
    if (status.st_uid, status.st_gid) == owner:
        return
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            if name != _MARKER:
                os.chown(Path(folder, name), uid, gid, follow_symlinks=False)
    os.chown(root, uid, gid)
    os.chown(marker, uid, gid)
