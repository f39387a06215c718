"""What a failed build advises: the words of its step point at a cause."""

import pytest

from model_dockerize.image import advice_for_program
from model_dockerize.image.build import _error
from model_dockerize.image.buildlog import Failure

OLDER = "base-image: python:3.11-slim-bookworm"


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("E: Package 'libgl1-mesa-glx' has no installation candidate", OLDER),
        ("E: Unable to locate package libssl1.1", OLDER),
        (
            "E: The repository 'http://mirror.example/debian buster Release' does not have a Release file.",
            "left the mirrors",
        ),
        ("ImportError: libct.so: cannot enable executable stack as shared object requires: Invalid argument", OLDER),
        ("ERROR: No matching distribution found for nothing==1", "Correct that line of the requirements file."),
        ("write /x: no space left on device", "docker system df"),
        ("model-server: the image has no julia, which the model's command calls", "Choose a base-image that has it"),
        ("the image has no faces", "Correct what the step's last lines complain about"),
        ("/bin/sh: 1: apt-get: not found", "system-packages are Debian's and Ubuntu's"),
        ("apt-get: three packages, then the model", "Correct what the step's last lines complain about"),
        ("a line that says nothing", "Correct what the step's last lines complain about"),
    ],
)
def test_the_words_of_the_step_point_at_the_cause(line: str, advice: str) -> None:
    error = _error("m:1", Failure("[stage-0 2/9] RUN x", f"{line} (exit code 1)", (line,)), False)
    assert advice in error.remedy


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed", "ca-bundle is for the build"),
        ("OSError: [Errno 28] No space left on device", "docker system df"),
        ("the container ended with exit code 137", "give the engine more"),
        ("ModuleNotFoundError: No module named pip", ""),
        ("sh: exit code 127", ""),
    ],
)
def test_a_program_is_not_advised_what_only_a_build_can_do(line: str, advice: str) -> None:
    found = advice_for_program("Traceback (most recent call last):", line)
    assert advice in found
    assert bool(found) == bool(advice)


def test_a_crash_is_no_error_of_the_last_warning() -> None:
    lines = ("1 WARNING: Library user32 required via ctypes not found", "Segmentation fault")
    assert "crashed" in _error("m:1", Failure("[2/2] RUN x", "Segmentation fault (exit code 139)", lines), False).remedy
