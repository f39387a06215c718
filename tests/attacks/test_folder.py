"""Attacks by a program folder: what lies in it names files elsewhere, to read them or to write to them."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from model_dockerize.cli import cli
from model_dockerize.errors import InputError
from model_dockerize.inside import MOST_TEXT
from model_dockerize.settings import INPUTS, Input, Kind, Settings, Source, to_settings
from model_dockerize.settings.load import argument, described, untrusted_folder
from model_dockerize.settings.own_file import from_file
from model_dockerize.settings.sources import from_flags, from_inputs
from tests.unit.action.test_action_main import Job

SECRET = "planted/word+of0another1customer2345678901"
PATHS = [option for option in INPUTS if option.kind in (Kind.PATH, Kind.KEY)]
OF_THE_FOLDER = [option for option in PATHS if Source.FOLDER in option.sources]
CALLERS = [option for option in INPUTS if Source.FOLDER not in option.sources]


class Disk:
    """A home with a secret, and a folder that somebody else wrote."""

    def __init__(self, root: Path) -> None:
        self.home, self.folder = root / "home", root / "checkout" / "model"
        self.secret = self.home / ".aws" / "credentials"
        for path in (self.secret.parent, self.folder / "smoke"):
            path.mkdir(parents=True)
        self.secret.write_text(f"[default]\naws_secret_access_key = {SECRET}\n", encoding="utf-8")
        self.write("main.py", "import sys\n")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def link(self, name: str, target: Path | str = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target or self.secret)
        return path

    def leaks(self) -> list[str]:
        """Return the names of the folder's files that hold the secret now."""
        regular = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return [path.name for path in regular if SECRET in path.read_text(encoding="utf-8", errors="replace")]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(tmp_path)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return made


def call(*arguments: Any) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in arguments])


def refused(*layers: Any) -> str:
    with pytest.raises(InputError) as caught:
        to_settings(layers)
    (problem,) = caught.value.details
    return str(problem)


#: What is planted in the folder, and the path that then leads out of it, or to what is no file.
PLACES: dict[str, Callable[[Disk], str]] = {
    "environment of the process": lambda _: "/proc/self/environ",
    "environment of the first process": lambda _: "/proc/1/environ",
    "home": lambda _: "~/.aws/credentials",
    "absolute": lambda disk: str(disk.secret),
    "dots": lambda disk: os.path.relpath(disk.secret, disk.folder),
    "dots through the folder": lambda _: "smoke/../../../home/.aws/credentials",
    "link": lambda disk: disk.link("link").name,
    "link to a link": lambda disk: disk.link("outer", disk.link("inner")).name,
    "folder that is a link": lambda disk: f"{disk.link('data', disk.secret.parent).name}/credentials",
    "link through /proc": lambda disk: disk.link("link", f"/proc/self/root{disk.secret}").name,
    "neighbour whose name begins alike": lambda disk: f"../{disk.folder.name}-of-another/pip.conf",
    "device": lambda _: "/dev/zero",
    "link to a device": lambda disk: disk.link("link", "/dev/zero").name,
    "pipe": lambda disk: os.mkfifo(disk.folder / "pipe") or "pipe",
    "socket": lambda disk: _socket(disk.folder),
    "circle": lambda disk: disk.link("circle", "circle").name,
}


def _socket(folder: Path) -> str:
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket is short
    try:
        socket.socket(socket.AF_UNIX).bind("socket")
    finally:
        os.chdir(here)
    return "socket"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("option", OF_THE_FOLDER, ids=lambda option: option.name)
def test_model_dockerize_yml_names_nothing_outside(disk: Disk, option: Input, place: str) -> None:
    file = disk.write("model-dockerize.yml", f"{option.name}: {PLACES[place](disk)}\n")
    problem = refused(from_file(file))
    assert problem.startswith(f"{file}, line 1: {option.name}: ")
    assert SECRET not in problem


@pytest.mark.parametrize("option", CALLERS, ids=lambda option: option.name)
def test_what_only_the_caller_may_set(disk: Disk, option: Input) -> None:
    for text in ("inside", "true", "https://model.example"):
        file = disk.write("model-dockerize.yml", f"{option.name}: {text}\n")
        assert refused(from_file(file)) == (
            f"{file}, line 1: {option.name}: a file of the folder may not set it; "
            "use the flag, or the input of the step"
        )


def test_these_are_the_callers() -> None:
    assert {option.name for option in CALLERS} == {
        *("adopt", "check", "smoke-url", "report", "archive", "sandbox", "smoke-api-key"),
    }


def config(**changed: str) -> str:
    keys = {
        "program_path": "model",
        "aws_config_file": "AwsConfig.ini",
        "batch_config_file": "BatchConfig.yml",
        **changed,
    }
    return (
        f"[awsauth]\naws_config_file = {keys['aws_config_file']}\n"
        f"[dockerfile]\nprogram_path = {keys['program_path']}\n[dockerimage]\nimage_name = x\n"
        f"[batch]\nbatch_config_file = {keys['batch_config_file']}\n"
    )


@pytest.mark.parametrize("key", ["program_path", "aws_config_file", "batch_config_file"])
@pytest.mark.parametrize("place", ["/proc/self/environ", "~/.aws/credentials", "../home", "out", "/dev/zero"])
@pytest.mark.parametrize("in_git", [True, False])
def test_a_config_ini_names_its_neighbours_only(disk: Disk, key: str, place: str, in_git: bool) -> None:
    checkout = disk.folder.parent
    if in_git:
        (checkout / ".git").mkdir()
    (checkout / "out").symlink_to(disk.home)
    file = checkout / "Config.ini"
    file.write_text(config(**{key: place}), encoding="utf-8")
    assert "A file of the folder may name what is in it" in refused(described(argument(file))) or "/dev/zero" in place


def test_the_neighbours_of_a_config_ini_are_those_of_its_checkout(disk: Disk) -> None:
    file = disk.write("main/Config.ini", config(program_path=".."))
    assert "leads out of" in refused(described(argument(file)))
    (disk.folder / ".git").mkdir()
    assert to_settings([described(argument(file))]).program.program_path == disk.folder


def test_a_home_that_is_kept_in_git_is_no_workspace(disk: Disk) -> None:
    (disk.home / ".git").mkdir()
    folder = disk.home / "downloads"
    folder.mkdir()
    (folder / "Config.ini").write_text(config(program_path="../.aws"), encoding="utf-8")
    assert "leads out of" in refused(described(argument(folder / "Config.ini")))


#: Good keys, so that only the way to them is wrong.
KEYS = {"license-public-key": "A" * 43, "license-key": "eyJh.eyJi.c2ln", "smoke-api-key": "k" * 16}


@pytest.mark.parametrize("face", ["Action", "command line"])
@pytest.mark.parametrize("option", PATHS, ids=lambda option: option.name)
def test_the_caller_names_a_file_and_the_folder_makes_a_link_of_it(disk: Disk, option: Input, face: str) -> None:
    def layer(path: str) -> Any:
        if face == "Action":
            return from_inputs({f"INPUT_{option.name.upper()}": path}, disk.folder)
        return from_flags({option.name: path}, untrusted_folder(disk.folder))

    target = disk.home / "target"
    target.write_text(KEYS.get(option.name, ""), encoding="utf-8")
    disk.link("named", target)
    problem = refused(layer(str(disk.folder / "named")))
    assert "may not lead out of it" in problem or option.name in KEYS  # half a key is not quoted, nor is a path
    # What the caller itself names elsewhere is its own to name.
    to_settings([layer(str(target))])


@pytest.mark.parametrize("ignored", ["", "smoke\n", "*\n", "**\n!main.py\n"])
@pytest.mark.parametrize("name", ["input.json", "expected.json", "mapping.json"])
def test_a_sample_that_is_a_link_whatever_is_ignored(disk: Disk, name: str, ignored: str) -> None:
    disk.write(".dockerignore", ignored)
    if name != "input.json":
        disk.write("smoke/input.json", "{}")
    disk.link(f"smoke/{name}")
    done = call("dockerfile", disk.folder)
    assert done.exit_code == 3, done.output
    assert "leads out of" in done.output
    assert SECRET not in done.output


def test_a_sample_folder_that_is_a_link(disk: Disk) -> None:
    disk.write(".dockerignore", "smoke")
    (disk.folder / "smoke").rmdir()
    disk.link("smoke", disk.secret.parent)
    disk.secret.with_name("input.json").write_text("{}", encoding="utf-8")
    assert "leads out of" in call("dockerfile", disk.folder).output


#: Files of a folder that are read for what they say.
READ = [
    ".dockerignore",
    ".python-version",
    "runtime.txt",
    "pyproject.toml",
    "gravityai-build.json",
    "requirements.txt",
    "init.sh",
    "main.py",
    "Dockerfile",
    "Dockerfile.dockerignore",
    "model-dockerize.yml",
]


@pytest.mark.parametrize("ignored", [True, False])
@pytest.mark.parametrize("name", READ)
def test_a_file_that_is_a_link_is_neither_quoted_nor_copied(disk: Disk, name: str, ignored: bool) -> None:
    for secret in (disk.secret, disk.secret.with_name("one-line")):
        secret.write_text(f"{SECRET}\n" if "one" in secret.name else secret.read_text("utf-8"), encoding="utf-8")
        (disk.folder / name).unlink(missing_ok=True)
        if ignored and name != ".dockerignore":
            disk.write(".dockerignore", f"{name}\n")
        disk.link(name, secret)
        done = call("dockerfile", disk.folder)
        assert SECRET not in done.output
        assert disk.leaks() == []
        assert secret.read_text(encoding="utf-8").count(SECRET) == 1
        if not name.startswith("Dockerfile") and not (ignored and name in ("requirements.txt", "init.sh")):
            assert done.exit_code in (2, 3), done.output


#: What lies where the caller's file should lie: text in which the secret stands as a value, a line, a part of one.
OTHER_KINDS = {
    "passwd": f"root:x:{SECRET}\nb:c:d\n",
    "credentials": f"[default]\naws_secret_access_key = {SECRET}\n",
    "credentials twice": f"[default]\nkey = {SECRET}\nkey = {SECRET}\n[default]\n",
    "one line": SECRET,
    "variables": f"TOKEN={SECRET}\nTOKEN={SECRET}\n",
    "key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n",
    "json": json.dumps({"SecretAccessKey": SECRET}),
    "broken json": f'{{"SecretAccessKey": "{SECRET}',
    "broken yaml": f"token: {SECRET}: x\n\t- '{SECRET}\n",
    "yaml tag": f"token: !{SECRET} x\n",
    "yaml alias": f"token: *{SECRET.partition('/')[0]}\n",
    "list": f"- {SECRET}\n",
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("option", ["batch-config-file", "aws-config-file", "smoke-mapping"])
def test_a_file_of_another_kind_is_not_quoted(disk: Disk, option: str, kind: str) -> None:
    disk.secret.write_text(OTHER_KINDS[kind], encoding="utf-8")
    disk.write("smoke/input.json", "{}")
    done = call("iam-policy", disk.folder, f"--{option}", disk.secret)
    assert done.exit_code in (0, 2, 3), done.output
    assert SECRET.partition("/")[0] not in done.output


@pytest.mark.parametrize("name", [*READ, "smoke/input.json"])
def test_a_pipe_is_not_waited_for(disk: Disk, name: str) -> None:
    (disk.folder / name).unlink(missing_ok=True)
    os.mkfifo(disk.folder / name)
    call("dockerfile", disk.folder)  # ends


@pytest.mark.parametrize("name", READ[:5])
def test_a_huge_file_is_not_taken_for_settings(disk: Disk, name: str) -> None:
    with (disk.folder / name).open("wb") as file:
        file.truncate(MOST_TEXT + 1)
    done = call("dockerfile", disk.folder)
    assert done.exit_code == 3
    assert "has more than 16 MiB" in done.output


def test_settings_files_that_are_links(disk: Disk) -> None:
    names = ("Config.ini", "BatchConfig.yml", "other.yml")
    for name in names:
        disk.link(name)
        done = call("batch" if name.startswith("Batch") else "dockerfile", disk.folder / name)
        assert done.exit_code == 2
        assert "leads out of" in done.output
        assert SECRET not in done.output


def test_merge_keys_that_multiply(disk: Disk) -> None:
    levels = [f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}]}}" for n in range(1, 40)]
    text = "\n".join(["x0: &x0 {k: v}", *levels, "job_def:", "  <<: *x39", "  job_definition_name: a", ""])
    done = call("batch", disk.write("BatchConfig.yml", text))  # ends
    assert "there is no key of this name" in done.output


#: What somebody works with, which no report may take the place of.
MINE = "alias ll='ls -l'\n"


@pytest.mark.parametrize("name", ["report.json", "sub/report.json"])
def test_a_report_is_not_written_through_a_link(disk: Disk, name: str) -> None:
    mine = disk.home / ".bashrc"
    mine.write_text(MINE, encoding="utf-8")
    if "/" in name:
        disk.link("sub", disk.home)
        mine = mine.rename(disk.home / "report.json")
    else:
        disk.link(name, mine)
    done = call("run", disk.folder, "--report", disk.folder / name, "--push-to-ecr", "false")
    assert done.exit_code == 2
    assert mine.read_text(encoding="utf-8") == MINE


def test_a_report_overwrites_a_report_and_nothing_else(disk: Disk) -> None:
    mine = disk.home / ".bashrc"
    for content in (MINE, '{"outcome": "x"}', "[1]"):
        mine.write_text(content, encoding="utf-8")
        for arguments in (("--cpu", "x"), ()):
            done = call("run", disk.folder / "nowhere", "--report", mine, *arguments)
            assert done.exit_code in (2, 3)
            assert mine.read_text(encoding="utf-8") == content
    mine.write_text("", encoding="utf-8")
    for _ in range(2):
        call("run", disk.folder / "nowhere", "--report", mine)
        assert json.loads(mine.read_text(encoding="utf-8"))["error"]["exit_code"] == 3


@pytest.mark.parametrize("text", ["report: event.json", "report: /proc/self/environ", "archive: .."])
def test_a_folder_writes_nothing_by_the_action(tmp_path: Path, text: str) -> None:
    job = Job(tmp_path)
    event = job.workspace / "event.json"
    event.write_text("{}", encoding="utf-8")
    job.model("model", text + "\n")
    assert job.main(program_path="model", push_to_ecr="false") == 2
    assert event.read_text(encoding="utf-8") == "{}"


def test_a_report_of_the_action_is_not_written_through_a_committed_link(tmp_path: Path) -> None:
    job = Job(tmp_path)
    mine = tmp_path / ".gitconfig"
    mine.write_text(MINE, encoding="utf-8")
    (job.workspace / "out.json").symlink_to(mine)
    assert job.main(report="out.json", push_to_ecr="false") == 2
    assert mine.read_text(encoding="utf-8") == MINE


def test_a_program_folder_that_is_a_committed_link(tmp_path: Path) -> None:
    job = Job(tmp_path)
    elsewhere = tmp_path / "home"
    elsewhere.mkdir()
    (elsewhere / "model-dockerize.yml").write_text(f"x: {SECRET}\n", encoding="utf-8")
    (job.workspace / "model").symlink_to(elsewhere)
    assert job.main(program_path="model", push_to_ecr="false") == 2
    assert "leads out of" in job.text
    assert SECRET not in job.text


def test_paths_that_stay_inside_are_taken(disk: Disk) -> None:
    """Show the other side: links and folders within the folder work as ever."""
    disk.write("conf/pip.conf", "")
    disk.link("pip.conf", "conf/pip.conf")
    disk.write("data/input.csv", "n\n1\n")
    disk.link("smoke/input.csv", "../data/input.csv")
    read: Settings = to_settings([from_file(disk.write("model-dockerize.yml", "pip-config: pip.conf\n"))])
    assert read.program.pip_config == disk.folder / "conf/pip.conf"
    assert call("dockerfile", disk.folder).exit_code == 0


def test_the_file_of_keys_is_not_shipped_whatever_it_is_called(disk: Disk) -> None:
    disk.write("of-the-account.ini", "[aws]\naws_secret_access_key = short\n")
    disk.write("model-dockerize.yml", "aws-config-file: of-the-account.ini\n")
    assert "of-the-account.ini may hold credentials" in call("dockerfile", disk.folder).output
