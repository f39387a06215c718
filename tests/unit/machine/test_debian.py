"""Reading what apt says, and pointing it at another release."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.debian import (
    Source,
    for_release,
    major,
    parse_candidates,
    parse_debian_sources,
    source_lines,
    source_stanzas,
)
from machine.host import parse_os_release

MIRROR = "http://mirror.test/debian/"
SECURITY = "http://mirror.test/debian-security/"
TARGETS = f"""\
Debian|Debian|main|bookworm|{MIRROR}
Debian|Debian|contrib|bookworm|{MIRROR}
Debian|Debian|main|bookworm|{MIRROR}
Debian|Debian|main|bookworm-updates|{MIRROR}
Debian|Debian-Security|main|bookworm-security|{SECURITY}
Debian|Debian Backports|main|bookworm-backports|{MIRROR}
Debian|Debian|main|sid|{MIRROR}
vendor bookworm|vendor bookworm|main|bookworm|http://vendor.test/apt/
Docker|Docker CE|stable|bookworm|http://docker.test/linux/debian/
Ubuntu|Ubuntu|main|bookworm|http://ubuntu.test/
a line of another shape
"""


def test_only_debians_own_suites_of_this_release_are_taken_each_once() -> None:
    assert parse_debian_sources(TARGETS, "bookworm") == [
        Source(MIRROR, "bookworm"),
        Source(MIRROR, "bookworm-updates"),
        Source(SECURITY, "bookworm-security"),
    ]


def test_old_releases_name_their_security_suite_with_a_slash() -> None:
    line = f"Debian|Debian-Security|main|buster/updates|{SECURITY}"
    assert parse_debian_sources(line, "buster") == [Source(SECURITY, "buster/updates")]


def test_no_lists_give_no_sources() -> None:
    assert parse_debian_sources("", "bookworm") == []


def test_another_release_keeps_the_mirrors() -> None:
    assert for_release(parse_debian_sources(TARGETS, "bookworm"), "bookworm", "trixie") == [
        Source(MIRROR, "trixie"),
        Source(MIRROR, "trixie-updates"),
        Source(SECURITY, "trixie-security"),
    ]


@pytest.mark.parametrize(
    ("keyring", "line"),
    [
        (None, f"deb {MIRROR} trixie main\n"),
        (Path("/keys/debian.gpg"), f"deb [signed-by=/keys/debian.gpg] {MIRROR} trixie main\n"),
    ],
)
def test_source_lines(keyring: Path | None, line: str) -> None:
    assert source_lines([Source(MIRROR, "trixie")], keyring) == line


def test_a_stanza_for_each_mirror() -> None:
    sources = [Source(MIRROR, "trixie"), Source(MIRROR, "trixie-updates"), Source(SECURITY, "trixie-security")]
    keyring = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    assert source_stanzas(sources) == (
        f"Types: deb\nURIs: {MIRROR}\nSuites: trixie trixie-updates\nComponents: main\n{keyring}\n"
        f"Types: deb\nURIs: {SECURITY}\nSuites: trixie-security\nComponents: main\n{keyring}"
    )


POLICY = """\
docker.io:
  Installed: (none)
  Candidate: 20.10.24+dfsg1-1+deb12u1+b6
  Version table:
     20.10.24+dfsg1-1+deb12u1+b6 500
        500 http://mirror.test/debian bookworm/main amd64 Packages
removed:
  Installed: 1.0
  Candidate: (none)
tini:
  Installed: 0.19.0-1+b3
  Candidate: 0.19.0-1+b3
"""


def test_candidates_leave_out_what_cannot_be_installed() -> None:
    assert parse_candidates(POLICY) == {"docker.io": "20.10.24+dfsg1-1+deb12u1+b6", "tini": "0.19.0-1+b3"}
    assert parse_candidates("") == {}


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("20.10.24+dfsg1-1+deb12u1+b6", 20),
        ("26.1.5+dfsg1, build 411e817", 26),
        ("5:27.5.1-1~debian.12~bookworm", 27),
        ("v0.29.1", 0),
        ("28", 28),
        (" 100.0\n", 100),
        ("", 0),
        ("dev", 0),
    ],
)
def test_major(version: str, number: int) -> None:
    assert major(version) == number


def test_os_release() -> None:
    text = '# a comment=1\nID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n\nVERSION_CODENAME=bookworm\n'
    assert parse_os_release(text) == {
        "ID": "debian",
        "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)",
        "VERSION_CODENAME": "bookworm",
    }
