"""Tables of what a folder's files mean: types of samples, words of pip's settings, versions of Python."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from model_dockerize.program import mime_type, tools
from model_dockerize.program.python_version import default_image, support_warning
from model_dockerize.program.types import Packages

from .folder import Heard, fill, look


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", "text/csv; header=present"),
        ("a.CSV", "text/csv; header=present"),
        ("a.json", "application/json"),
        ("a.txt", "text/plain"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_a_sample_has_the_type_of_its_suffix(name: str, kind: str) -> None:
    assert mime_type(Path(name)) == kind


@pytest.mark.parametrize("section", ["global", "install"])
@pytest.mark.parametrize(
    ("word", "means"),
    [
        *((word, True) for word in ("1", "true", "yes", "on", "y", "t", "TRUE")),
        *((word, False) for word in ("", "0", "no", "off")),
    ],
)
def test_a_tool_that_no_index_gives_is_warned_of(tmp_path: Path, section: str, word: str, means: bool) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[{section}]\nno-index = {word}\n")
    heard = Heard()
    tools.tell(Packages(source="environment.yml", conda=("a",)), "main.ipynb", config, heard)
    purposes = (
        ("py-rattler", "the packages of conda in environment.yml"),
        ("papermill and ipykernel", "executing main.ipynb"),
    )
    assert heard.infos == [f"The build fetches {tool} from the package index, for {why}." for tool, why in purposes]
    words = [
        f"pip-config says no-index: {tool} must be where find-links points, for {why}, or the build fails."
        for tool, why in purposes
    ]
    assert heard.warnings == (words if means else [])


@pytest.mark.parametrize("content", [b"no-index = 1\n", b"[global]\nno-index = \xff\n"])
def test_settings_of_pip_that_cannot_be_read_are_the_builds_matter(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pip.conf").write_bytes(content)
    heard = Heard()
    tools.tell(Packages(source="renv.lock", renv=("renv.lock",), conda=()), "main.py", tmp_path / "pip.conf", heard)
    tools.tell(Packages(source="x", conda=("a",)), "main.py", tmp_path / "pip.conf", heard)
    assert heard.infos[0] == "The build takes renv from the base image, else from a repository of renv.lock."
    assert heard.warnings == []


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.12\n", "3.12"),
        ("3.12.4\n", "3.12"),
        ("python-3.12.4\n", "3.12"),
        ("# a comment\n\n  3.12  \n", "3.12"),
        ("<3.12\n", "3.11"),
        (">=3.12,<3.13\n", "3.12"),
        ("==3.11.*\n", "3.11"),
        ("~=3.11.0\n", "3.11"),
        ("!=3.11.*,<3.14\n", "3.12"),
        (">3.13.99\n", "3.14"),
    ],
)
@pytest.mark.parametrize("name", [".python-version", "runtime.txt"])
def test_a_version_is_read_as_other_tools_write_it(tmp_path: Path, name: str, text: str, version: str) -> None:
    heard = Heard()
    found = look(fill(tmp_path, {"main.py": "", name: text}), heard)
    assert found.python_version == version
    assert [warning for warning in heard.warnings if name in warning] == []


#: Last days of security fixes (devguide.python.org/versions), and the Debian of the images that Docker's library moves.
SUPPORT = {
    "3.5": ("2020-09-30", "buster"),
    "3.6": ("2021-12-23", "bullseye"),
    "3.7": ("2023-06-27", "bookworm"),
    "3.8": ("2024-10-07", "bookworm"),
    "3.9": ("2025-10-31", "trixie"),
    "3.10": ("2026-10-31", "trixie"),
    "3.11": ("2027-10-31", "trixie"),
    "3.12": ("2028-10-31", "trixie"),
    "3.13": ("2029-10-31", "trixie"),
    "3.14": ("2030-10-31", "trixie"),
}


@pytest.mark.parametrize("version", SUPPORT)
def test_a_python_is_warned_of_from_the_day_after_its_last_fixes(version: str) -> None:
    last, debian = SUPPORT[version]
    image, day = f"python:{version}-slim-{debian}", date.fromisoformat(last)
    gone = ["Debian buster has left the mirrors: apt-get can install nothing there."] if debian == "buster" else []
    ended = f"Python {version} has had no security fixes since {last}; 3.13 is maintained."
    assert default_image(version) == image
    assert support_warning(image, day) == " ".join(gone)
    assert support_warning(image, day + timedelta(1)) == " ".join([ended, *gone])


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("python:3.5", True),
        ("python:3.5-slim", True),
        ("docker.io/library/python:3.5@sha256:1", True),
        ("python:3.6", False),
        ("registry:5000/x:jessie", True),
        ("registry:5000/x:1-stretch-slim", True),
        ("debian:12", False),
        ("buster/x:1", False),
        ("x:bookworm", False),
    ],
)
def test_a_debian_that_left_the_mirrors_is_warned_of(image: str, words: bool) -> None:
    assert ("has left the mirrors" in support_warning(image, date(2000, 1, 1))) is words


def test_a_python_that_nobody_knows_yet_has_an_image_of_no_release() -> None:
    assert default_image("3.99") == "python:3.99-slim"
    assert support_warning("python:3.99", date(2099, 1, 1)) == ""
