"""A folder is understood without being told, and a clear sentence says what is wrong."""

from datetime import date
from pathlib import Path

import pytest

from model_dockerize.errors import InputError, ProgramError
from model_dockerize.program.python_version import support_warning
from tests.rig.leaks import planted, planted_file

from .folder import ROOT, Heard, fill, look

GUARD = "if __name__ == '__main__':\n    pass\n"


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"main.py": "", "model.py": ""}, "main.py"),
        ({"model.py": "", "predict.py": ""}, "model.py"),
        ({"app.py": "", "helper.py": GUARD}, "app.py"),
        ({"score.py": GUARD, "helper.py": ""}, "score.py"),
        ({"score.py": ""}, "score.py"),
        ({"score.py": "", "setup.py": GUARD, "test_score.py": GUARD, "lib/main.py": GUARD}, "score.py"),
    ],
)
def test_entry_point(tmp_path: Path, files: dict[str, str], entry: str) -> None:
    program = look(fill(tmp_path, files))
    assert program.entry == entry
    assert program.command == ("python", entry, "{input}", "{output}")


@pytest.mark.parametrize(
    ("command", "entry", "argv"),
    [
        ("python score.py -i {input} -o {output}", "score.py", "python|score.py|-i|{input}|-o|{output}"),
        ("python3 ./score.py", "score.py", "python3|./score.py|{input}|{output}"),
        ("score.py --in={input} --out={output}", "score.py", "python|score.py|--in={input}|--out={output}"),
        ("-i {input} -o {output}", "main.py", "python|main.py|-i|{input}|-o|{output}"),
        ("{input} {output} --fast", "main.py", "python|main.py|{input}|{output}|--fast"),
        ("{output}.png {input}", "main.py", "python|main.py|{output}.png|{input}"),
        ("Rscript-4 'my score.R'", "my score.R", "Rscript-4|my score.R|{input}|{output}"),
        ("cp", "", "cp|{input}|{output}"),
        ("python -m package", "", "python|-m|package|{input}|{output}"),
    ],
)
def test_command(tmp_path: Path, command: str, entry: str, argv: str) -> None:
    program = look(fill(tmp_path, {"main.py": "", "score.py": "", "my score.R": ""}), command=command)
    assert (program.entry, program.command) == (entry, tuple(argv.split("|")))


@pytest.mark.parametrize("command", ["", "{input} {output}"])
def test_a_script_whose_name_looks_like_an_option_is_none_of_python(tmp_path: Path, command: str) -> None:
    program = look(fill(tmp_path, {"-x.py": ""}), command=command)
    assert (program.entry, program.command) == ("-x.py", ("python", "./-x.py", "{input}", "{output}"))


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"app.py": "from flask import Flask\n", "score.py": ""}, "score.py"),
        ({"main.py": "import streamlit as st\n", "predict.py": ""}, "predict.py"),
        ({"main.py": "def serve():\n    import fastapi\n"}, "main.py"),
        ({"hubconf.py": "", "score.py": ""}, "score.py"),
    ],
)
def test_what_is_no_program_of_two_files_is_not_taken_for_one(
    tmp_path: Path, files: dict[str, str], entry: str
) -> None:
    assert look(fill(tmp_path, files)).entry == entry


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"app.py": "import gradio\n"}, "app.py is a web service (it imports gradio)."),
        ({"predict.py": "from cog import BasePredictor\n"}, "predict.py is a web service (it imports cog)."),
        ({"main.py": "", ".dockerignore": "*\n!rows\n", "rows/x.py": ""}, "The .dockerignore leaves out main.py."),
        ({"run.sh": "", "init.sh": ""}, "There is run.sh: --command 'bash run.sh {input} {output}'."),
        ({"score.R": ""}, "There is score.R: --command 'Rscript score.R {input} {output}'."),
        ({"hubconf.py": "", "rows/x.py": ""}, "python -m package {input} {output}"),
    ],
)
def test_without_an_entry_point_what_is_there_is_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(ProgramError, match="no entry point") as caught:
        look(fill(tmp_path, files))
    assert said in str(caught.value)
    assert "init.sh:" not in str(caught.value)


def test_a_command_of_another_language_needs_an_image_that_has_it(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"score.R": ""})
    with pytest.raises(InputError, match=r"calls Rscript, which python:3\.13-slim-trixie does not have.*rocker/r-ver"):
        look(folder, command="Rscript score.R")
    assert look(folder, command="Rscript score.R", base_image="rocker/r-ver:4").command[0] == "Rscript"
    assert look(folder, command="Rscript score.R", system_packages=("r-base-core",)).command[0] == "Rscript"


def test_a_requirements_file_that_reads_one_which_is_not_there_or_is_not_utf_8(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "requirements.txt": "numpy\n-r more/dev.txt\n"})
    with pytest.raises(ProgramError) as caught:
        look(folder)
    assert "requirements.txt line 2 reads 'more/dev.txt', which is not in the folder." in str(caught.value)
    (folder / "requirements.txt").write_bytes(b"# \xe9t\xe9\nnumpy==2.0\n")
    assert look(folder).packages.source == "requirements.txt"


def test_arguments_alone_need_an_entry_point(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"no entry point.*a\.py, b\.py"):
        look(fill(tmp_path, {"a.py": "", "b.py": ""}), command="{input} {output}")


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("python main.py {input}", "does not name {output}"),
        ("python nowhere.py {input} {output}", "'nowhere.py', which is not in the folder"),
        ("'' {input} {output}", "begins with an empty word"),
        ("./nowhere.sh {input} {output}", "'nowhere.sh', which is not in the folder"),
        ("python 'main.py", "cannot be split"),
        ("python 'a\nb'", "line break"),
        ("main.py {input} {output}/result.csv", "names files in {input} or {output}; each is one file"),
    ],
)
def test_wrong_command(tmp_path: Path, command: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        look(fill(tmp_path, {"main.py": ""}), command=command)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, ""),
        ({"requirements.txt": "", "requirements-gpu.txt": ""}, "requirements.txt"),
        (
            {"requirements-prod.txt": "", "requirements-dev.txt": "", "test-requirements.txt": ""},
            "requirements-prod.txt",
        ),
        ({"my_requirements.txt": ""}, "my_requirements.txt"),
        ({"Requirements.TXT": ""}, "Requirements.TXT"),
        ({"requirements.in": "", "requirements_lock.txt": ""}, "requirements_lock.txt"),
        ({"requirements-dev.txt": ""}, ""),
        ({"docs/requirements.txt": ""}, ""),
    ],
)
def test_requirements_file(tmp_path: Path, files: dict[str, str], found: str) -> None:
    heard = Heard()
    assert look(fill(tmp_path, {"main.py": "", **files}), heard).packages.source == found
    assert bool(heard.warnings) == ("requirements-dev.txt" in files and not found)


def test_requirements_of_any_name(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "requirements.txt": "", "deps/my list": "a\n"})
    assert look(folder, requirements_file="./deps/my list").packages.source == "deps/my list"


def test_ambiguous_requirements_are_named(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "requirements-cpu.txt": "", "requirements-gpu.txt": ""})
    with pytest.raises(ProgramError) as caught:
        look(folder)
    assert "requirements-cpu.txt, requirements-gpu.txt" in str(caught.value)
    assert look(folder, requirements_file="requirements-gpu.txt").packages.source == "requirements-gpu.txt"


def test_files_that_requirements_read(tmp_path: Path) -> None:
    files = {
        "main.py": "",
        "requirements.txt": "-r \\\n  deps/base.txt\n-c constraints.txt  # pins\nnumpy\n--hash=sha256:ab\n-r https://e.org/x.txt\n",
        "deps/base.txt": "-r more.txt\n--requirement=../requirements.txt\n",
        "deps/more.txt": "a==1; python_version < '4'\n",
        "constraints.txt": "",
    }
    program = look(fill(tmp_path, files))
    assert program.packages.includes == ("deps/base.txt", "deps/more.txt", "constraints.txt")
    assert not program.packages.need_code


@pytest.mark.parametrize(
    "line", [".", "-e .", "./lib", "wheels/a-1-py3-none-any.whl", "a @ file:lib", "-f wheels", "a.whl"]
)
def test_requirements_that_need_the_code(tmp_path: Path, line: str) -> None:
    assert look(fill(tmp_path, {"main.py": "", "requirements.txt": f"# x\n{line}\n"})).packages.need_code


@pytest.mark.parametrize(
    "line", ["a", "a[b]>=1", "a @ https://e.org/a.whl", "git+https://e.org/a", "-i https://e.org/s"]
)
def test_requirements_that_do_not(tmp_path: Path, line: str) -> None:
    assert not look(fill(tmp_path, {"main.py": "", "requirements.txt": line})).packages.need_code


def test_requirements_of_powershell(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {"main.py": "", "requirements.txt": "-e .\r\n".encode("utf-16")}))
    assert program.packages.need_code


def test_password_in_requirements_is_warned_of_without_showing_it(tmp_path: Path) -> None:
    heard = Heard()
    secret, folder = planted("pip-password"), fill(tmp_path, {"main.py": ""})
    planted_file(folder / "requirements.txt", f"numpy\n-i https://me:{secret}@e.org/simple\n")
    look(folder, heard)
    assert "line 2 holds a password" in heard.warnings[0]
    assert secret not in str(heard.warnings + heard.infos)


@pytest.mark.parametrize(
    ("content", "shell"),
    [
        ("#!/bin/sh\ntrue", "sh"),
        ("#!/bin/bash -e\n", "bash"),
        ("#!/usr/bin/env bash\n", "bash"),
        ("true\n", "sh"),
        ("", "sh"),
    ],
)
def test_init_shell(tmp_path: Path, content: str, shell: str) -> None:
    program = look(fill(tmp_path, {"main.py": "", "setup.sh": content}))
    assert (program.init_file, program.init_shell) == ("setup.sh", shell)


@pytest.mark.parametrize(
    ("script", "lacks"),
    [
        ("apt-get install -y libgomp1\n", True),
        ("set -e\nsudo apt-get -y install \\\n  libgomp1\n", True),
        ("DEBIAN_FRONTEND=noninteractive apt install -y r-base\n", True),
        ("# apt-get update\napt-get install -y libgomp1\n", True),
        ("apt-get update && apt-get install -y libgomp1\n", False),
        ("apt-get -qq update\napt-get install -y libgomp1\n", False),
        ("apt update; apt install -y libgomp1\n", False),
        ("pip install apt-install\npython train.py\n", False),
        ("# apt-get install libgomp1\npython train.py\n", False),
        ("", False),
    ],
)
def test_init_script_that_leaves_apts_lists_to_somebody_else(tmp_path: Path, script: str, lacks: bool) -> None:
    assert look(fill(tmp_path, {"main.py": "", "init.sh": script})).init_lacks_lists is lacks


def test_init_script_by_name_or_only_if_it_is_clear(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "init.sh": "", "setup.sh": "", "build/prepare": ""})
    assert look(folder, init_file="build/prepare").init_file == "build/prepare"
    with pytest.raises(ProgramError, match=r"init\.sh, setup\.sh"):
        look(folder)


def test_init_script_of_windows(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="Windows line ends"):
        look(fill(tmp_path, {"main.py": "", "init.sh": "echo a\r\n"}))


def test_an_init_script_with_a_byte_order_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="byte order mark"):
        look(fill(tmp_path, {"main.py": "", "init.sh": "\ufeff#!/bin/bash\n"}))


@pytest.mark.parametrize(
    ("files", "setting", "version", "warnings"),
    [
        ({}, "", "3.13", 0),
        ({}, "3.12.4", "3.12", 0),
        ({".python-version": "# mine\n3.11.4\n3.12\n"}, "", "3.11", 0),
        ({"runtime.txt": "python-3.12.1\n"}, "", "3.12", 0),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.8'"}, "", "3.11", 0),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.12.3,<4'"}, "", "3.12", 0),
        ({"pyproject.toml": "[project]\nrequires-python = '~=3.9.1'"}, "", "3.9", 1),
        ({"pyproject.toml": "[project]\nname = 'x'"}, "", "3.13", 0),
        ({".python-version": "3.11", "runtime.txt": "python-3.12"}, "", "3.11", 1),
        ({".python-version": "3.12", "runtime.txt": "python-3.12"}, "", "3.12", 0),
        ({".python-version": "3.11", "pyproject.toml": "[project]\nrequires-python = '>=3.12'"}, "3.13", "3.13", 1),
        ({".python-version": "3.11", "pyproject.toml": "[project]\nrequires-python = '>=3.12'"}, "", "3.11", 1),
    ],
)
def test_python_version(tmp_path: Path, files: dict[str, str], setting: str, version: str, warnings: int) -> None:
    heard = Heard()
    program = look(fill(tmp_path, {"main.py": "", **files}), heard, python_version=setting)
    assert (program.python_version, program.base_image) == (version, f"python:{version}-slim-trixie")
    assert len(heard.warnings) == warnings, heard.warnings


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("3.5", "python:3.5-slim-buster"),
        ("3.6", "python:3.6-slim-bullseye"),
        ("3.8", "python:3.8-slim-bookworm"),
        ("3.9", "python:3.9-slim-trixie"),
        ("3.14", "python:3.14-slim-trixie"),
        ("3.99", "python:3.99-slim"),  # which Debian it will have nobody knows yet
    ],
)
def test_the_default_image_names_its_debian_release(tmp_path: Path, version: str, image: str) -> None:
    assert look(fill(tmp_path, {"main.py": ""}), python_version=version).base_image == image


def test_a_base_image_of_the_user_is_taken_as_it_is(tmp_path: Path) -> None:
    assert look(fill(tmp_path, {"main.py": ""}), base_image="python:3.11-slim").base_image == "python:3.11-slim"


def test_overruled_python_version_is_named(tmp_path: Path) -> None:
    heard = Heard()
    look(fill(tmp_path, {"main.py": "", ".python-version": "3.11"}), heard, python_version="3.12")
    assert heard.warnings == ["Python 3.12 as python-version says; .python-version says 3.11 and is overruled."]


def test_unmaintained_python() -> None:
    assert "2021-12-23" in support_warning("python:3.6-slim-bullseye", date(2021, 12, 24))
    assert not support_warning("python:3.6-slim-bullseye", date(2021, 12, 23))
    assert not support_warning("python:3.99-slim", date(2026, 1, 1))


@pytest.mark.parametrize(
    ("image", "gone"),
    [
        ("python:3.5-slim-buster", True),
        ("python:3.5-slim", True),
        ("python:3.5", True),
        ("docker.io/library/python:3.6.15-slim-stretch@sha256:0", True),
        ("registry.example:5000/team/base:stretch-1", True),
        ("python:3.5-alpine", False),
        ("python:3.6-slim", False),
        ("registry.example:5000/busters/base:1", False),
        ("registry.example:5000/team/buster-base:1", False),  # a port is no tag
        ("python:3.5-slim@sha256:0", True),
        ("python:3.13-slim-trixie", False),
    ],
)
def test_a_debian_release_that_left_the_mirrors_is_told(image: str, gone: bool) -> None:
    assert ("has left the mirrors" in support_warning(image, date(2026, 11, 28))) == gone


@pytest.mark.parametrize("content", ["pypy3.9", "2.7", "3", "latest; rm -rf /"])
def test_unreadable_python_version(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="no Python version"):
        look(fill(tmp_path, {"main.py": ""}), python_version=content)


@pytest.mark.parametrize("content", ["2.7", "python-2.7.18", "4.0"])
def test_a_python_that_is_none_of_ours_is_refused_unless_an_input_says_another(tmp_path: Path, content: str) -> None:
    folder = fill(tmp_path, {"main.py": "", "runtime.txt": content})
    with pytest.raises(ProgramError, match="python-version wins over it"):
        look(folder)
    assert look(folder, python_version="3.12").python_version == "3.12"


@pytest.mark.parametrize(
    ("content", "version"),
    [
        ("3.11.4/envs/rows", "3.11"),
        ("3.12-dev", "3.12"),
        (">=3.11", "3.11"),
        ("cpython-3.12.1-linux-x86_64-gnu", "3.12"),
        ("cpython@3.12", ""),
        *((name, "") for name in ("rows-env-3.11.4", "miniconda3-4.7.12", "system", "pypy3.10-7.3.15", "3.13t", "3")),
        ("r-4.2-2022-10-01", ""),
    ],
)
def test_what_other_tools_write_about_python(tmp_path: Path, content: str, version: str) -> None:
    """Pass over the name of an environment, which says no version: the folder is not wrong for that."""
    folder = fill(tmp_path, {"main.py": "", ".python-version": content})
    heard, silent = Heard(), Heard()
    assert look(folder, heard).python_version == (version or "3.13")
    assert [f"{content!r}" in warning for warning in heard.warnings] == ([] if version else [True])
    assert look(folder, silent, python_version="3.14").python_version == "3.14"
    assert [warning for warning in silent.warnings if "passed over" in warning] == []


@pytest.mark.parametrize(
    "content", ["requires-python", "[project]\nrequires-python = 'new'", "[project]\nrequires-python = '<3'"]
)
def test_unreadable_requires_python(tmp_path: Path, content: str) -> None:
    with pytest.raises(ProgramError, match=r"pyproject\.toml"):
        look(fill(tmp_path, {"main.py": "", "pyproject.toml": content}))


def test_base_image_overrules(tmp_path: Path) -> None:
    heard = Heard()
    program = look(
        fill(tmp_path, {"main.py": ""}), heard, base_image="registry.example:5000/a/b:1", python_version="3.12"
    )
    assert (program.base_image, program.python_version) == ("registry.example:5000/a/b:1", "")
    assert len(heard.warnings) == 1


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("iris-classifier", "iris-classifier"),
        ("Größen Modell", "groessen-modell"),
        ("ÄÖÜß", "aeoeuess"),
        ("Été_2024.final", "ete-2024-final"),
        ("__x__", "x"),
        ("模型", "model-c98e118e"),
        ("数据模型", "model-25813f5a"),
        ("модель v2", "v2-47e28f15"),
        ("___", "model-bda25155"),
        ("x" * 200, f"{'x' * 119}-aa20c23e"),
    ],
)
def test_image_name_of_a_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert look(fill(tmp_path / folder, {"main.py": ""})).name == name


def test_image_name_and_version_that_are_given(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {"main.py": ""}), image_name="a/b", image_version="V1.0_rc-2")
    assert (program.name, program.version) == ("a/b", "V1.0_rc-2")


@pytest.mark.parametrize(
    ("names", "input_types", "output_type"),
    [
        (["input.csv", "expected.json"], ("text/csv; header=present",), "application/json"),
        (["input.txt", "expected.png"], ("text/plain",), "image/png"),
        (["input.json", "input.txt", "expected.csv"], ("application/json", "text/plain"), "text/csv; header=present"),
        (["input.wat"], ("application/octet-stream",), "application/octet-stream"),
        ([], ("application/octet-stream",), "application/octet-stream"),
    ],
)
def test_sample(tmp_path: Path, names: list[str], input_types: tuple[str, ...], output_type: str) -> None:
    program = look(fill(tmp_path, {"main.py": "", **{f"smoke/{name}": "" for name in names}}))
    assert (program.input_types, program.output_types) == (input_types, (output_type,))
    if not names:
        assert program.sample is None
        return
    assert program.sample is not None
    assert program.sample.input == tmp_path / "smoke" / names[0]
    assert program.sample.input_type == input_types[0]


def test_sample_by_settings(tmp_path: Path) -> None:
    folder = fill(tmp_path / "p", {"main.py": "", "smoke/input.csv": "", "other/in.json": ""})
    outside = fill(tmp_path, {"want.csv": ""}) / "want.csv"
    program = look(folder, smoke_input=folder / "other/in.json", smoke_expected=outside)
    assert program.sample is not None
    assert (program.sample.input, program.sample.expected) == (folder / "other/in.json", outside)
    assert program.input_types == ("application/json",)


def test_a_mapping_file_beside_the_sample_or_by_settings(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "smoke/input.csv": "", "smoke/mapping.json": "[]", "other.json": "[]"})
    for setting, found in ((None, "smoke/mapping.json"), (folder / "other.json", "other.json")):
        program = look(folder, smoke_mapping=setting)
        assert program.sample is not None
        assert program.sample.mapping == folder / found


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["input.csv", "mapping.json", "mapping.txt"], "several mapping files: smoke/mapping.json, smoke/mapping.txt"),
        (["mapping.json"], r"mapping\.json is there, but no smoke/input"),
    ],
)
def test_mapping_files_that_cannot_be_meant(tmp_path: Path, names: list[str], said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        look(fill(tmp_path, {"main.py": "", **{f"smoke/{name}": "" for name in names}}))


def test_all_problems_at_once(tmp_path: Path) -> None:
    folder = fill(
        tmp_path,
        {"a.py": "", "b.py": "", ".python-version": "2", "init.sh": "", "setup.sh": "", "smoke/expected.csv": ""},
    )
    with pytest.raises(ProgramError) as caught:
        look(
            folder,
            requirements_file="none.txt",
            system_packages=("ok-1", "no;way"),
            smoke_input=Path("no"),
        )
    text = "\n".join(caught.value.details)
    for part in (
        "none.txt",
        "'no;way'",
        "entry point",
        ".python-version",
        "init scripts",
        "smoke-input",
    ):
        assert part in text
    assert "ok-1" not in text
    assert f"({len(caught.value.details)} problems)" in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("what", ["missing", "file", "empty"])
def test_no_folder(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x"
    if what == "file":
        path.write_text("")
    elif what == "empty":
        path.mkdir()
    with pytest.raises(ProgramError) as caught:
        look(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "inputs", "output"),
    [
        ("iris-classifier", ("text/csv; header=present",), "text/csv; header=present"),
        ("sentiment", ("application/json", "text/plain"), "application/json"),
        ("is-prime", ("text/plain",), "application/json"),
    ],
)
def test_examples_need_no_settings(name: str, inputs: tuple[str, ...], output: str) -> None:
    heard = Heard()
    program = look(ROOT / "examples" / name, heard)
    assert (program.name, program.version, program.entry) == (name, "latest", "main.py")
    assert (program.input_types, program.output_types) == (inputs, (output,))
    assert program.sample is not None
    assert program.sample.expected is not None
    assert not heard.warnings


@pytest.mark.parametrize(
    ("samples", "wrong"),
    [
        ({"input.csv": "", "expected.csv": ""}, []),
        ({"input.json": "", "expected.csv": ""}, []),
        ({"input.csv": "", "expected.txt": ""}, ["gives text/plain"]),
        ({"input.csv": "", "input.json": "", "expected.csv": ""}, ["takes text/csv; header=present, application/json"]),
        ({}, ["takes application/octet-stream", "gives application/octet-stream"]),
    ],
)
def test_batches_are_for_records_and_everything_that_is_wrong_is_said_at_once(
    tmp_path: Path, samples: dict[str, str], wrong: list[str]
) -> None:
    fill(tmp_path, {"main.py": "", **{f"smoke/{name}": text for name, text in samples.items()}})
    if not wrong:
        assert look(tmp_path, batch_records=2).batch_records == 2
        return
    with pytest.raises(InputError) as refused:
        look(tmp_path, batch_records=2)
    assert len(refused.value.details) == len(wrong)
    assert all(f"this one {text}" in told for told, text in zip(refused.value.details, wrong, strict=True))
