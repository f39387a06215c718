"""Whole folders: what is known of each, and its Dockerfile; this file as a program writes the texts in whole/."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from model_dockerize import program
from model_dockerize.errors import ModelDockerizeError
from model_dockerize.program import first_program, python_version
from model_dockerize.settings import Given, load_settings
from tests.rig.projects import copy
from tests.unit.program.folder import Heard, fill
from tests.unit.program.test_conda_formats import PIXI
from tests.unit.program.test_gravityai_build import WILD

PLACE = Path(__file__).parent / "whole"
#: Of whoever builds, in the image; golden/*.Dockerfile hold it as it is.
HOME = "/root"
CACHE = f"{HOME}/.cache"
SAMPLE = {"smoke/input.csv": "a,b\n1,2\n", "smoke/expected.json": '{"a": 1}\n'}
NOTEBOOK = (
    '{"cells": [{"cell_type": "code", "source": "input = output = \'\'", "metadata": {"tags": ["parameters"]}}], '
    '"metadata": {"kernelspec": {"name": "python3", "language": "python"}}, "nbformat": 4, "nbformat_minor": 5}'
)
FOLDERS: Mapping[str, Mapping[str, str]] = {
    "bare": {"main.py": "print()\n"},
    "requirements": {
        **SAMPLE,
        "predict.py": "import sys\n",
        "model.pkl": "x",
        ".python-version": "3.12\n",
        "requirements.txt": "--extra-index-url https://index.example/simple\n# a comment\nsix==1.16.0\nnumpy>=1.20 ; "
        "python_version < '3.13'\n-r more.txt\n-c bounds.txt\n",
        "more.txt": "torch\n",
        "bounds.txt": "idna<4\n",
        ".dockerignore": "*.log\n!keep.log\n",
        "a.log": "",
        "keep.log": "",
        ".env": "KEY=x\n",
        "__pycache__/x.pyc": "",
    },
    "settings": {
        **SAMPLE,
        "run.sh": "#!/bin/bash\nsudo apt-get install -y gcc\n",
        "score.py": "print()\n",
        "smoke/map.json": '[{"source": "A", "destination": "a"}]',
        "model-dockerize.yml": "program-path: .\ncommand: python score.py {input} {output} --fast\n"
        "image-name: my-model\nimage-version: '7'\nbase-image: python:3.11-slim\ninit-file: run.sh\n"
        "system-packages: libgomp1 git\n"
        "platforms: linux/arm64\nsmoke-mapping: smoke/map.json\nbatch-records: 10\nrequirements-file: none.txt\n",
        "none.txt": "",
    },
    "init-script": {
        "main.py": "import gravityai\n",
        "requirements.txt": "gravityai\n",
        "init.sh": "apt-get update && apt-get install -y gcc\n",
        "smoke/input.txt": "x",
    },
    "gravityai": {
        "main.py": "from gravityai import gravityai as grav\n",
        "requirements.txt": "gravityai==0.1.4\n",
        "gravityai-build.json": WILD,
        "tests/in.csv": "age\n1\n",
        "tests/out.json": "[]",
    },
    "conda": {
        "main.py": "",
        "environment.yml": "channels: [conda-forge]\ndependencies:\n- python=3.11\n- numpy=1.26\n- pip:\n  - six\n",
    },
    "pixi": {"main.py": "", "pixi.toml": "[dependencies]\npython = '*'\n", "pixi.lock": PIXI},
    "pixi-unlocked": {"main.py": "", "pixi.toml": "[dependencies]\npython = '*'\n"},
    "pyproject": {
        "main.py": "",
        "pyproject.toml": '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11,<3.13"\n'
        'dependencies = ["six", "idna>=3"]\n[project.optional-dependencies]\nfast = ["numpy"]\n'
        '[dependency-groups]\ndev = ["pytest"]\n',
    },
    "setup": {"main.py": "", "setup.py": "from setuptools import setup\nsetup(name='x', install_requires=['six'])\n"},
    "notebook": {"score.ipynb": NOTEBOOK, "requirements.txt": "six\n"},
    "r": {
        "main.R": "print(1)\n",
        "renv.lock": '{"R": {"Version": "4.4.1", "Repositories": [{"Name": "CRAN", "URL": "https://cran.example"}]}}',
        "model-dockerize.yml": "command: Rscript main.R {input} {output}\n",
    },
    "r-by-a-script": {
        "main.R": "print(1)\n",
        "renv.lock": "{}",
        "init.sh": "#!/bin/sh\ncat data/list.txt | xargs apt-get install -y\n",
        "data/list.txt": "gcc\n",
        "model-dockerize.yml": "command: Rscript main.R {input} {output}\nbase-image: rocker/r-ver:4.4.1\n",
    },
    "r-without-a-command": {"main.R": "print(1)\n", "renv.lock": "{}"},
    "binary": {
        "score": "x",
        "Makefile": "all:\n",
        "smoke/input.json": "{}",
        "smoke/input.png": "x",
        "smoke/expected.txt": "y",
        "model-dockerize.yml": "command: ./score {input} {output}\nbase-image: debian:12\nsystem-packages: libgomp1\n",
    },
    "versions": {
        "app.py": "",
        ".python-version": ">=3.11,<3.12\n",
        "runtime.txt": "python-3.10.2\n",
        "pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.13"\n',
    },
    "strange-version": {"app.py": "", ".python-version": "pypy\n", "runtime.txt": "# none\n\n 3.12 \n"},
    "wrong-version": {"app.py": "", ".python-version": "9.9\n", "pyproject.toml": "[project]\nrequires-python = 'x'\n"},
    "torch": {"model.py": "", "requirements.txt": "torch==2.3.0\ntorchvision\n"},
    "secrets": {
        "main.py": "KEY = 'AKIAIOSFODNN7EXAMPLE'\n",
        "id_rsa": "-----BEGIN RSA PRIVATE KEY-----\n",
        "credentials.json": "{}",
        "a.pem": "x",
        ".git/config": "",
        ".venv/pyvenv.cfg": "",
    },
    "wrong": {
        "a.py": "",
        "b.py": "",
        "main.py": "",
        "requirements.txt": "six ==\n-e git+https://x\n",
        "model-dockerize.yml": "base-image: debian:12\n",
    },
    "two-programs": {"a.py": "", "b.py": ""},
    "pointer": {"main.py": "", "model.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"},
    "samples": {
        "main.py": "",
        "smoke/input.csv": "a\n",
        "smoke/expected.csv": "b\n",
        "smoke/expected.json": "{}",
        "smoke/mapping.json": "[]",
        "smoke/mapping.yml": "",
    },
    "no-input": {"main.py": "", "smoke/expected.csv": "b\n"},
    "no-file": {"main.py": "", "model-dockerize.yml": "smoke-input: none.csv\ninit-file: none.sh\n"},
    "specifier": {
        "main.py": "",
        "uv.lock": 'version = 1\nrequires-python = "later"\n',
        "pyproject.toml": "[project]\nname='x'\n",
    },
    "no-such-python": {"main.py": "", "pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.99'\n"},
    "torch-index": {
        "main.py": "",
        "uv.lock": 'version = 1\nrequires-python = ">=3.11"\n',
        "pyproject.toml": "[project]\nname='x'\n",
        "model-dockerize.yml": "torch-index: https://index.example/cpu\n",
    },
    **{
        f"calls-{name}": {"score": "", "model-dockerize.yml": f"command: {name} score {{input}} {{output}}\n"}
        for name in ("Rscript", "R", "julia", "node")
    },
    "data": {
        "main.py": "row['b'] + row['a']\nrow['c'] = 1\n",
        "requirements.txt": "",
        "readme.txt": "x",
        "LICENSE.txt": "x",
        "licence.csv": "x\n1\n",
        "notice.txt": "x",
        "constraints.txt": "",
        "package.json": "{}",
        "tsconfig.json": "{}",
        ".hidden/data.csv": "a\n1\n",
    },
    "json": {"main.py": "", "deeper/rows.jsonl": "1\n2\n3\n4\n5\n6\n", "rows.txt": "x"},
    "one-row": {"main.py": "", "head.csv": "a,b\n", "other.json": "{}"},
    "empty": {},
}
PROJECTS = ("pdm", "pipenv", "poetry", "poetry1", "pylock", "uv")


def shown(value: Any, root: Path, indent: str = "") -> str:
    """Return a value with one line for each of its parts."""
    if is_dataclass(value):
        parts = [(field.name, getattr(value, field.name)) for field in fields(value)]
    elif isinstance(value, tuple) and any(is_dataclass(part) for part in value):
        parts = [(str(number), part) for number, part in enumerate(value)]
    else:
        return f" {str(value).replace(str(root), 'FOLDER') if isinstance(value, Path) else value!r}\n".replace(
            str(root), "FOLDER"
        )
    return "\n" + "".join(f"{indent}{name}:{shown(part, root, indent + '  ')}" for name, part in parts)


def known(folder: Path) -> str:
    """Return all that is known of a folder, or why it is refused."""
    heard = Heard()
    try:
        settings = load_settings({}, Given(str(folder), "folder", Path.cwd()), {})
        asked = replace(settings.program, platforms=settings.program.platforms or ("linux/amd64",))
        with patch.object(python_version, "support_warning", lambda image, _: f"Is {image} maintained?"):
            found = program.inspect(asked, settings.image, settings.smoke, heard)
        text = shown(found, folder) + program.render_dockerfile(found, "server:1")
    except ModelDockerizeError as error:
        text = "\n".join((type(error).__name__, str(error), error.remedy, *error.details)) + "\n"
    text += f"--- init\n{begun(folder)}"
    said = [*(f"info: {line}" for line in heard.infos), *(f"warning: {line}" for line in heard.warnings)]
    text = "\n".join((*said, text)).replace(str(folder), "FOLDER").replace(CACHE, "CACHE")
    return re.sub(r"(?<=[0-9a-f]{8})[0-9a-f]{56}", "", text).lstrip("\n")


def begun(folder: Path) -> str:
    """Return what `init` says and writes."""
    before, heard = {*folder.rglob("*")}, Heard()
    program.start(folder, heard)
    source = Path(first_program.__file__).read_text(encoding="utf-8")
    lines = [*heard.infos, *(f"warning: {line}" for line in heard.warnings)]
    for path in sorted({*folder.rglob("*")} - before):
        content = path.read_text(encoding="utf-8") if path.is_file() else "a folder"
        lines.append(f"{path}: {'the first program' if content == source else content}")
    return "\n".join(lines)


def made(name: str, place: Path) -> Path:
    folder = place / name
    folder.mkdir()
    if name in PROJECTS:
        copy(name, folder)
        return fill(folder, {"main.py": ""})
    return fill(folder, FOLDERS[name])


@pytest.mark.parametrize("name", [*FOLDERS, *PROJECTS])
def test_of_a_folder_this_is_known(tmp_path: Path, name: str) -> None:
    assert known(made(name, tmp_path)) == (PLACE / f"{name}.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for each in (*FOLDERS, *PROJECTS):
            (PLACE / f"{each}.txt").write_text(known(made(each, Path(temporary))), encoding="utf-8")
