"""Hides the server's data from this process and its children, by Landlock (man 7 landlock)."""

import os
import stat
from typing import Iterator, List, Sequence

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every processor
_VERSION, _BENEATH = 1, 1
#: Run, write, read; for a file. Of a folder also: remove and make of every kind. To list a folder is not a right here:
#: it cannot be given for `/` without all that lies in it.
_FILE = 0b111
_FOLDER = _FILE | 0b1111111110000
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # since versions 2 and 3
_SIGNAL_OTHERS, _ABSTRACT_SOCKETS = 1 << 1, 1 << 0  # since version 6
_PR_SET_NO_NEW_PRIVS = 38


def confine(hidden: str, *shown: str) -> str:
    """Deny this process all files below `hidden`, except those below `shown` in it.

    Processes outside cannot be read, nor signaled where the kernel knows how to prevent it.

    Returns:
        Why the folder could not be hidden; "" if it was.
    """
    hidden = os.path.realpath(hidden)
    problem = ""
    places = ["/"]
    if os.access(os.path.dirname(hidden), os.W_OK):  # what the program makes there could not be told apart
        problem = "{} lies where the program may write".format(hidden)
    else:
        try:
            places = [*outside(hidden), *shown]
        except OSError as error:
            problem = "{} cannot be listed".format(error.filename)
    try:
        import ctypes  # noqa: PLC0415 - some small Pythons lack it

        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
    except (ImportError, OSError, AttributeError):
        return "this Python cannot ask the kernel for it"

    def call(number: int, *arguments: object) -> int:
        result = int(libc.syscall(ctypes.c_long(number), *arguments))
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    class PathBeneath(ctypes.Structure):
        _pack_ = 1
        _layout_ = "ms"
        _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))

    try:
        version = call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
        if version < 2:
            return "the kernel's Landlock is too old"  # it would forbid to move a file into another folder
        rights = _REFER if problem else _FOLDER | _REFER | (_TRUNCATE if version >= 3 else 0)
        scoped = _SIGNAL_OTHERS | _ABSTRACT_SOCKETS if version >= 6 else 0
        attributes = (ctypes.c_uint64 * 3)(rights, 0, scoped)
        size = ctypes.c_size_t(24 if scoped else 8)
        ruleset = call(_CREATE_RULESET, attributes, size, ctypes.c_uint32(0))
        try:
            for path in places:
                try:
                    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # it went meanwhile
                try:
                    is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
                    rule = PathBeneath(rights if is_folder else rights & (_FILE | _TRUNCATE), descriptor)
                    call(
                        _ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0)
                    )
                finally:
                    os.close(descriptor)
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
        finally:
            os.close(ruleset)
    except OSError as error:
        return "the kernel has no Landlock: {}".format(error.strerror)
    return problem


def outside(hidden: str) -> Iterator[str]:
    """Yield the largest files and folders outside; no links."""
    place = "/"
    for name in hidden.strip("/").split("/"):
        for entry in real(place):
            if os.path.basename(entry) != name:
                yield entry
        place = os.path.join(place, name)


def real(folder: str) -> Sequence[str]:
    """List a folder without links: their targets have places of their own."""
    found = []  # type: List[str]
    with os.scandir(folder) as entries:
        found.extend(entry.path for entry in entries if not entry.is_symlink())
    return found
