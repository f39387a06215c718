"""Debian's build of CPython is told that it lives in /usr/local."""

from __future__ import annotations

import pytest

from machine.stand_in import relocated

TRIPLET = "x86_64-linux-gnu"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'prefix': '/usr',", "'prefix': '/usr/local',"),
        ("'BINDIR': '/usr/bin',", "'BINDIR': '/usr/local/bin',"),
        ("'LIBDIR': '/usr/lib/x86_64-linux-gnu',", "'LIBDIR': '/usr/local/lib',"),
        ("'LIBPL': '/usr/lib/python3.13/config-3.13-x',", "'LIBPL': '/usr/local/lib/python3.13/config-3.13-x',"),
        ("'INCLUDEPY': '/usr/include/python3.13',", "'INCLUDEPY': '/usr/local/include/python3.13',"),
        ("MANDIR=\t/usr/share/man\n", "MANDIR=\t/usr/local/share/man\n"),
        ("'--prefix=/usr' '--x'", "'--prefix=/usr/local' '--x'"),
        ("-I${includedir}/python3.13 -I${includedir}/x86_64-linux-gnu/python3.13", "-I${includedir}/python3.13"),
        ("'WHEEL_PKG_DIR': '/usr/share/python-wheels/',", "'WHEEL_PKG_DIR': '',"),
    ],
)
def test_its_own_folders_move(text: str, expected: str) -> None:
    assert relocated(text, TRIPLET, "3.13") == expected


@pytest.mark.parametrize(
    "text",
    [
        "'INSTALL': '/usr/bin/install -c',",
        "'TZPATH': '/usr/share/zoneinfo:/usr/lib/zoneinfo',",
        "'MODULE__UUID_CFLAGS': '-I/usr/include/uuid',",
        "'prefix': '/usr/local',",
    ],
)
def test_what_is_the_systems_stays(text: str) -> None:
    assert relocated(text, TRIPLET, "3.13") == text
