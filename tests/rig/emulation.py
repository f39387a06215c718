"""Programs for arm64 on another processor: Debian's qemu, which the kernel calls for them, and a base image."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import base_image, debian
from machine.host import MachineError, run, say

QEMU = Path("/usr/bin/qemu-aarch64-static")
_REGISTRY = Path("/proc/sys/fs/binfmt_misc")
_NAME = "qemu-aarch64"
#: The first 20 bytes of an arm64 ELF program. F: the kernel opens qemu now, so containers need no copy of it.
_RULE = (
    rf":{_NAME}:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
    rf"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:{QEMU}:OF"
)


@contextmanager
def arm64() -> Iterator[None]:
    """Let this whole computer, containers included, run programs for arm64 while the block runs.

    Raises:
        MachineError: it cannot be taught to.
    """
    if (_REGISTRY / _NAME).exists():
        yield
        return
    if not QEMU.exists():
        debian.refresh()
        debian.install("qemu-user-static")
    if not (_REGISTRY / "register").exists():
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_REGISTRY)])
    try:
        (_REGISTRY / "register").write_text(_RULE, encoding="ascii")
    except OSError as error:
        raise MachineError(f"The kernel takes no programs of another processor: {error.strerror}.") from error
    try:
        yield
    finally:
        (_REGISTRY / _NAME).write_text("-1", encoding="ascii")


def arm64_base(name: str) -> None:
    """Make sure that the engine has `name`: Python 3.11 for arm64, a stand-in made of Debian's packages."""
    if not base_image.present(name):
        say(f"{name}: making a stand-in of Debian bookworm for arm64, emulated (some minutes)")
        base_image.make_stand_in(name, base_image.STAND_INS["python:3.11-slim-bookworm"], "arm64")
