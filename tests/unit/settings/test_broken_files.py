"""Generated mistakes in the old service's files: each is told with file, section and key, and AWS is never asked.

`HYPOTHESIS_PROFILE=thorough` makes a thousand of them.
"""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_dockerize.cli import cli
from tests.rig.existing_files import AWS_CONFIG, BATCH_CONFIG, CONFIG, write
from tests.rig.listening import listening


@dataclass(frozen=True)
class Broken:
    """A file with one mistake, and what the message about it must name."""

    name: str
    text: str
    named: tuple[str, ...]


_WORD = st.text(string.ascii_lowercase + "_", min_size=1, max_size=12)
_PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)
# What no key of this kind takes, each before it is put into the file's own syntax.
_NO_FLAG = _PRINTABLE.filter(lambda text: text.strip().lower() not in ("true", "false"))
_NO_NAME = st.text("ABC äß!?*", min_size=1, max_size=8).filter(lambda text: text.strip() != "")
_NO_TAG = st.text("äß!?* /", min_size=1, max_size=8).filter(lambda text: text.strip() != "")
_NO_NUMBER = st.sampled_from(["many", "-1", "1.5", "0x10", "1e3", "9999999999", "0.0"]) | _WORD
_NO_ID = st.text(string.ascii_letters + " -!", min_size=1, max_size=12).filter(lambda text: text.strip() != "")

_INI_VALUES = {
    "Config.ini": {
        "image_name": _NO_NAME,
        "image_version": _NO_TAG,
        "push_to_ecr": _NO_FLAG,
        "repository": _NO_NAME,
        "version": _NO_TAG,
        "create_job_def": _NO_FLAG,
        "program_path": st.just(""),
        "batch_config_file": st.just(""),
        "aws_config_file": st.just(""),
    },
    "AwsConfig.ini": {
        "region": _NO_ID.filter(lambda text: not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", text.strip())),
        "aws_id": _NO_ID,
        "aws_access_key_id": st.sampled_from(["", "two words", "schlüssel"]),
        "aws_secret_access_key": st.sampled_from(["", "two words", "schlüssel"]),
    },
}
_YAML_VALUES = {
    "region": _NO_ID,
    "subnets": _NO_ID,
    "security_group_ids": _NO_ID,
    "service_role": st.sampled_from(["two words", "arn:aws:iam::1:role/x", "a/b"]),
    "max_vcpus": _NO_NUMBER,
    "job_queue_name": _NO_TAG,
    "job_queue_priority": _NO_NUMBER,
    "image": st.sampled_from(["two words", "a@sha256:12"]),
    "command": st.sampled_from(["it's", 'say "hello']),
    "memory": _NO_NUMBER,
    "vcpus": _NO_NUMBER,
    "job_name": _NO_TAG,
    "job_vcpus": _NO_NUMBER,
    "job_memory": _NO_NUMBER,
    "retry_attempts": _NO_NUMBER | st.just("11"),
}
_TEXTS = {"Config.ini": CONFIG, "AwsConfig.ini": AWS_CONFIG, "BatchConfig.yml": BATCH_CONFIG}


@st.composite
def broken_ini(draw: st.DrawFn) -> Broken:
    """Draw a Config.ini or AwsConfig.ini with an unknown name, a value that cannot be, a repetition, or nonsense."""
    name = draw(st.sampled_from(["Config.ini", "AwsConfig.ini"]))
    text = _TEXTS[name]
    lines = text.splitlines()
    key = draw(st.sampled_from(sorted(_INI_VALUES[name])))
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{key} ="))
    section = next(line.strip("[]") for line in reversed(lines[:at]) if line.startswith("["))
    match draw(st.sampled_from(["value", "key", "section", "twice", "nonsense"])):
        case "value":
            # A sign first: a value that begins in the next line, or is a comment, is another matter.
            value = draw(_INI_VALUES[name][key]).strip()
            lines[at] = f"{key} = {value}"
            named = (f"[{section}] {key}: ",)
        case "key":
            wrong = draw(_WORD.filter(lambda word: f"{word} =" not in text))
            lines[at] = f"{wrong} = x"
            named = (f"[{section}] {wrong}: there is no key of this name",)
        case "section":
            wrong = draw(_WORD.filter(lambda word: f"[{word}]" not in text))
            lines[lines.index(f"[{section}]")] = f"[{wrong}]"
            named = (f"[{wrong}]: there is no section of this name",)
        case "twice":
            lines.insert(at + 1, lines[at])
            named = (f"line {at + 2}, [{section}] {key}: the key stands in the section twice",)
        case _:
            lines.insert(at, draw(_WORD))
            named = (f"line {at + 1}: neither [section] nor key = value",)
    return Broken(name, "\n".join(lines) + "\n", named)


@st.composite
def broken_yaml(draw: st.DrawFn) -> Broken:
    """Draw a BatchConfig.yml with an unknown name, a value that cannot be, a repetition, or what is no YAML."""
    lines = BATCH_CONFIG.splitlines()
    key = draw(st.sampled_from(sorted(_YAML_VALUES)))
    at = next(number for number, line in enumerate(lines) if line.startswith(f"    {key}:"))
    section = next(line.rstrip(":") for line in reversed(lines[:at]) if line[:1].strip())
    match draw(st.sampled_from(["value", "key", "section", "twice", "nonsense"])):
        case "value":
            while at + 1 < len(lines) and lines[at + 1].lstrip().startswith("- "):
                del lines[at + 1]
            quoted = draw(_YAML_VALUES[key]).replace("'", "''")
            anchor = next((word for word in lines[at].split() if word.startswith("&")), "")
            lines[at] = f"    {key}: {anchor} '{quoted}'"
            named = (f"line {at + 1}, {section}.{key}: ",)
        case "key":
            wrong = draw(_WORD.filter(lambda word: f" {word}:" not in BATCH_CONFIG))
            lines.insert(at, f"    {wrong}: x")
            named = (f"line {at + 1}, {section}.{wrong}: there is no key of this name",)
        case "section":
            wrong = draw(_WORD.filter(lambda word: f"{word}:" not in BATCH_CONFIG and word != "null"))
            lines[lines.index(f"{section}:")] = f"{wrong}:"
            named = (f", {wrong}: there is no section of this name",)
        case "twice":
            lines.insert(at, f"    {key}: x")
            named = (f"{section}.{key}: the key stands in the section twice",)
        case _:
            lines.insert(at, draw(st.sampled_from(["\t- x", "    }", "    a: 'b", "    *nobody"])))
            named = ("is not valid YAML at line ",)
    return Broken("BatchConfig.yml", "\n".join(lines) + "\n", named)


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[str, list[str]]]:
    """Start an endpoint that stands for AWS; yield its address and all that it was asked: nothing must be."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(self.path)
            self.send_error(500)

        do_GET = do_POST  # noqa: N815 - the name that the base class looks for

        def log_message(self, *_: object) -> None: ...

    with listening(Handler) as server:
        yield f"http://127.0.0.1:{server.server_port}", calls


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("broken"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(broken=st.one_of(broken_ini(), broken_yaml()))
def test_a_broken_file_is_told_by_file_section_and_key_and_aws_is_never_asked(
    broken: Broken, files: Path, asked: tuple[str, list[str]]
) -> None:
    endpoint, calls = asked
    for name, text in {**_TEXTS, broken.name: broken.text}.items():
        (files / name).write_text(text, encoding="utf-8")
    arguments = ["run", "Config.ini"] if broken.name == "Config.ini" else ["batch", "BatchConfig.yml", "AwsConfig.ini"]
    words = [str(files / word) if word in _TEXTS else word for word in arguments]
    environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_MAX_ATTEMPTS": "1", "MODEL_DOCKERIZE_HOME": str(files / "none")}
    done = CliRunner().invoke(cli, words, env=environment)
    told = done.output
    assert done.exit_code == 2, told
    assert "exit code 2 (input)" in told
    assert "Traceback" not in told
    assert broken.name in told
    for fragment in broken.named:
        assert fragment in told
    assert AWS_CONFIG.splitlines()[3].partition(" = ")[2] not in told
    assert calls == []
