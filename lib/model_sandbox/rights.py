"""Gives up root's rights that the sandbox does not need."""

import ctypes
import os

_NO_NEW_PRIVILEGES, _DROP_FROM_BOUNDING_SET = 38, 24  # linux/prctl.h
_VERSION = 0x20080522  # linux/capability.h: two words of 32 bits each
_WORD = ctypes.c_uint32
#: Files of volumes belong to their containers' users, and load balancers listen below 1024.
_CHOWN, _DAC_OVERRIDE, _FOWNER, _NET_BIND_SERVICE = 0, 1, 3, 10
KEPT = (_CHOWN, _DAC_OVERRIDE, _FOWNER, _NET_BIND_SERVICE)
_LAST = 63


class _Header(ctypes.Structure):
    _fields_ = (("version", _WORD), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", _WORD), ("permitted", _WORD), ("inheritable", _WORD))


def give_up() -> None:
    """Give up root's rights for good, except those kept.

    Call before any thread starts: each has its own rights.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    if os.geteuid() != 0:
        return
    for capability in range(_LAST + 1):
        if capability not in KEPT:
            # Refused for numbers that this kernel does not know.
            libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
    header, sets = _Header(_VERSION, 0), (_Sets * 2)()
    libc.capget(ctypes.byref(header), sets)
    # In a container even root has not all of them.
    kept = sets[0].permitted & sum(1 << capability for capability in KEPT)
    sets = (_Sets * 2)(_Sets(kept, kept, 0), _Sets(0, 0, 0))
    if libc.capset(ctypes.byref(header), sets):
        raise OSError(ctypes.get_errno(), "capset")
