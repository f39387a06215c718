"""A failure advises by what tools print: it points at a cause, one sentence and one remedy.

`failures/` holds what pip, uv and programs really printed: NAME.TOOL.txt, less the lines of copied files. Hosts of the
public index have other names there.
"""

import pytest

from model_dockerize.image import diagnose_program
from model_dockerize.image.build import _error
from model_dockerize.image.buildlog import TAIL, Failure
from model_dockerize.image.causes import Diagnosis, diagnose, without_frames
from tests.rig.failures import STEP, cause_of, lines_of, recorded

OLDER = "base-image: python:3.11-slim-bookworm"

#: What was recorded -> words of the sentence, words of the remedy.
INSTALLING = {
    "no-wheel-for-python.uv": ("tensorflow 2.10.0 has no wheel for this Python, only for", "python-version"),
    "no-wheel-for-python.pip": ("tensorflow==2.10.0 is not among the versions", "python-version"),
    "wheel-platform": ("wheel", "python-version"),
    "requires-python.pip": ("scipy==1.7.3 is for Python >=3.7,<3.11", "python-version"),
    "requires-python.uv": ("numpy==1.22.4 is older than the image's Python", "python-version"),
    "requires-python-project": ("rows is for Python <3.12", "python-version"),
    "old-pins": ("numpy==1.19.5 is older than the image's Python", "python-version"),
    "pkg-resources": ("is built with pkg_resources", "python-version"),
    "no-such-version": ("six==9.9.9 is not among the versions", "the log names"),
    "no-such-package": ("no-such-package-of-anybody-here", "Correct its name"),
    "ubuntu-freeze": ("pkg_resources is no package of an index", "Remove the line pkg_resources==0.0.0"),
    "sklearn": ("sklearn is not the name", "scikit-learn for sklearn"),
    "local-version": ("torch==2.3.1+cpu is not on the usual index", "Leave +cpu away"),
    "conflict.uv": ("requests==2.31.0 wants urllib3>=1.21.1,<3, and another requirement excludes", "Loosen"),
    "conflict.pip": ("wants urllib3<3 and >=1.21.1, and another requirement excludes", "Loosen"),
    "no-git": ("rows comes from a git repository, and git is not", "git to system-packages"),
    "git-host-key": ("rows comes from a git repository by ssh", "https"),
    "git-401": ("git repository of rows is not there, or is private", "pip-config"),
    "git-404": ("git repository of rows is not there, or is private", "Correct its address"),
    "index-401": ("(401)", "pip.conf"),
    "index-403.uv": ("(403)", "token"),
    "index-403.pip": ("rows==1.0 is on no index", "pip-config"),
    "index-404": ("is on no index", "pip-config"),
    "index-500.uv": ("5xx", "mirror"),
    "index-500.pip": ("rows==1.0 is on no index", "pip-config"),
    "url-404": ("The address of rows is not there (404)", "Correct the URL"),
    "not-trusted": ("by http", "trusted-host"),
    "tls": ("does not trust the certificate", "ca-bundle"),
    "offline": ("does not resolve", "DNS"),
    "timeout": ("does not answer in time", "timeout"),
    "refused": ("refuses the connection", "HTTPS_PROXY"),
    "hash": ("six==1.16.0 is not the file that the hash", "Lock again"),
    "hash-missing": ("Some requirements have hashes", "all of them"),
    "latin1": ("is not UTF-8", "UTF-8"),
    "utf16": ("is not UTF-8", "UTF-8"),
    "invalid-line": ("holds a line that is no requirement", "Lock files of other tools"),
    "include-missing": ("reads another file", "correct the line"),
    "conda-conflict.rattler": ("want what cannot be together", "Loosen"),
    "conda-no-package.rattler": ("numpy >=1 is in none of the channels", "channels"),
    "conda-no-channel.rattler": ("The channel http://127.0.0.1:42507/nothing/ is not there", "Correct its name"),
    "conda-refused.rattler": ("refuses the connection", "HTTPS_PROXY"),
    "conda-dns.rattler": ("does not resolve", "DNS"),
    "conda-platform.rattler": ("pixi.lock has no packages for linux-64", "pixi lock"),
    "conda-hash.rattler": ("six-1.14.0-0.tar.bz2 is not the file that the hash", "Lock again"),
    "conda-gone.rattler": ("The address of six-1.13.0-0.tar.bz2 is not there (404)", "Lock again"),
    "conda-path": ("a path on the computer", "pip list --format=freeze"),
    "not-a-project": ("no Python project", "Correct the path"),
    "flat-layout": ("does not know which of the folders", "packages = "),
    "no-gcc": ("psutil", "Add gcc and libc6-dev to system-packages"),
    "no-gxx": ("pycuda", "Add g++ to system-packages"),
    "no-cmake-compiler": ("dlib", "Add g++ to system-packages"),
    "no-rust": ("tokenizers", "Add cargo, gcc and libc6-dev to system-packages"),
    "pg-config": ("psycopg2==2.9.9", "Add libpq-dev, gcc and libc6-dev to system-packages"),
    "pkg-config": ("mysqlclient==2.2.4", "Add pkg-config"),
    "header": ("the header lber.h is missing", "Add libldap2-dev and libsasl2-dev to system-packages"),
    "portaudio": ("the header portaudio.h is missing", "Add portaudio19-dev to system-packages"),
    "build-needs-torch": ("flash-attn==2.5.8 imports torch while it is built", "--no-build-isolation"),
    "no-module-for-build": ("imports numpy while it is built", "--no-build-isolation"),
    "renv-missing.renv": ("nowhere 1.0 is in none of the repositories", "renv::snapshot()"),
    "renv-dependency.renv": ("absent is in none of the repositories", "renv::snapshot()"),
    "renv-make.renv": ("To build compiled from source, the program make is missing", "r-base-dev"),
    "renv-header.renv": ("To build compiled from source, the header libxml/parser.h is missing", "system-packages"),
    "disk": ("The disk is full", "docker system df"),
}
RUNNING = {
    "libgl": ("needs libxcb.so.1", "Add libxcb1 to system-packages"),
    "libgomp": ("needs libgomp.so.1", "Add libgomp1 to system-packages"),
    "cuda": ("NVIDIA's driver", "for the CPU"),
    "execstack": ("refuses an old build", OLDER),
    "numpy-abi": ("another major version of NumPy", "numpy<2"),
    "lfs": ("Git LFS pointer", "lfs: true"),
    "module": ("imports yaml", "PyYAML"),
    "variable": ("variable TOKEN, which is not set", "TOKEN=ARN"),
    "permission": ("may not write /usr/logs", "/tmp"),
    "command": ("", "If ffmpeg is a program"),
}


@pytest.mark.parametrize("name", recorded())
def test_what_was_recorded_has_its_sentence_and_its_remedy(name: str) -> None:
    case, _, tool = name.rpartition(".")
    sentence, remedy = RUNNING[case] if tool == "program" else INSTALLING.get(name) or INSTALLING[case]
    found = cause_of(name)
    assert sentence in found.sentence
    assert remedy in found.remedy
    assert "{" not in found.sentence + found.remedy


def test_every_case_is_recorded() -> None:
    known = set(recorded())
    names = {*INSTALLING, *(f"{name}.program" for name in RUNNING)}
    assert {name for name in names if not known & {name, f"{name}.pip", f"{name}.uv"}} == set()
    assert len({name.partition(".")[0] for name in names}) >= 50


@pytest.mark.parametrize("name", [name for name in recorded() if not name.endswith("program")])
def test_the_error_shows_the_line_that_tells(name: str) -> None:
    lines = lines_of(name)
    cause = diagnose(STEP, lines)
    error = _error("m:1", Failure(STEP, lines[-1], tuple(lines[-TAIL:]), tuple(lines)), False)
    assert cause.sentence in str(error)
    assert any(cause.line == line.strip() for line in error.details)
    assert error.details[0] == STEP
    assert len(error.details) <= TAIL + 1
    assert any(cause.line == line.strip() for line in error.details[-5:]), "a terminal shows the last ones"
    assert not any(line.startswith("  File ") for line in error.details)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("E: Package 'libgl1-mesa-glx' has no installation candidate", OLDER),
        ("E: Unable to locate package libssl1.1", OLDER),
        (
            "E: The repository 'http://mirror.example/debian buster Release' does not have a Release file.",
            OLDER,
        ),
        ("write /x: no space left on device", "docker system df"),
        ("model-server: the image has no julia, which the model's command calls", "Choose a base-image that has it"),
        (
            "model-server: the image has no python and no python3, which the model's command calls",
            "one that only the base image's SHELL or entrypoint activates by its path",
        ),
        ("the image has no faces", "Correct what the step's last lines complain about"),
        ("/bin/sh: 1: apt-get: not found", "let init-file call this one's own package manager"),
        ("apt-get: three packages, then the model", "Correct what the step's last lines complain about"),
        ("a line that says nothing", "Correct what the step's last lines complain about"),
        ("/usr/bin/python3: No module named pip", "python3-pip"),
    ],
)
def test_the_words_of_the_step_point_at_the_cause(line: str, advice: str) -> None:
    error = _error("m:1", Failure(STEP, f"{line} (exit code 1)", (line,)), False)
    assert advice in error.remedy


def test_a_registry_that_refuses_is_no_package_index() -> None:
    step = "[internal] load metadata for docker.io/library/private:1"
    found = diagnose(step, ["failed to authorize: unexpected status: 401 Unauthorized"], runs_in_action=True)
    assert "a login: run `docker login` and `docker pull BASE-IMAGE`" in found.remedy


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed", "Let init-file add"),
        ("OSError: [Errno 28] No space left on device", "docker system df"),
        ("the container ended with exit code 137", "Give the engine more"),
        ("ModuleNotFoundError: No module named pip", ""),
        ("sh: exit code 127", ""),
    ],
)
def test_a_program_is_not_advised_what_only_a_build_can_do(line: str, advice: str) -> None:
    found = diagnose_program(["Traceback (most recent call last):", line])
    assert advice in found.remedy
    assert (found != Diagnosis()) == bool(advice)


@pytest.mark.parametrize(
    ("line", "thing"),
    [
        ("PermissionError: [Errno 13] Permission denied: 'logs'", "logs"),
        ("OSError: [Errno 30] Read-only file system: '/program/cache'", "/program/cache"),
        ("sqlite3.OperationalError: attempt to write a readonly database", "its database"),
        ("sqlite3.OperationalError: unable to open database file", "its database"),
    ],
)
def test_a_program_that_may_not_write_there_is_told_where_it_may(line: str, thing: str) -> None:
    found = diagnose_program([line])
    assert f"may not write {thing}" in found.sentence
    assert "/tmp" in found.remedy and "mkdir -m 777" in found.remedy


def test_a_crash_is_no_error_of_the_last_warning() -> None:
    lines = ("1 WARNING: Library user32 required via ctypes not found", "Segmentation fault")
    assert "crashed" in str(_error("m:1", Failure("[2/2] RUN x", "Segmentation fault (exit code 139)", lines), False))


def test_what_tools_print_is_no_template() -> None:
    found = diagnose(STEP, ["ERROR: No matching distribution found for {debian}{0}==1 %s"])
    assert found.sentence == ""
    found = diagnose(STEP, ["Package 'a' requires a different Python: 3.13 not in '{remedy}%s{0}'"])
    assert "{remedy}%s{0}" in found.sentence


def test_frames_of_tracebacks_are_left_out() -> None:
    text = ["begin", "  Traceback (most recent call last):", '    File "x"', "      y()", "  ValueError: no", "end"]
    assert without_frames(text) == ["begin", "  ValueError: no", "end"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "line",
    [
        "a" * 8000,
        "a depends on b " * 500,
        "wheels for `a` (v1" * 400,
        "Requires-Python 1 different python version: " * 180,
        "model-dockerize: renv: Error installing package 'a' " * 150,
    ],
)
def test_long_output_is_looked_through_in_no_time(line: str) -> None:
    diagnose(STEP, [line] * 200)
    diagnose_program([line] * 200)
