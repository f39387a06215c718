"""Packages of conda: environment.yml is solved in the build, pixi.lock is installed as it is."""

import time
from pathlib import Path

import pytest

from model_dockerize.errors import ProgramError
from model_dockerize.program import render_dockerfile
from model_dockerize.program.types import REQUIREMENTS
from tests.rig.projects import PUBLIC_FILES

from .folder import SERVER, Heard, fill, look

HASH = "sha256:" + "ab" * 32
COMMIT = "1234567890" * 4
PIXI = f"""version: 6
environments:
  default:
    channels:
    - url: https://e.org/channel/
    packages:
      linux-64:
      - conda: https://e.org/channel/linux-64/python-3.12.1-h1_0.conda
      - pypi: {PUBLIC_FILES}/a-1-py3-none-any.whl
      - pypi: https://e.org/b-2.zip
      - pypi: git+https://e.org/d?rev=main#{COMMIT}
      - pypi: ./
      linux-aarch64:
      - conda: https://e.org/channel/linux-64/python-3.12.1-h1_0.conda
      - pypi: https://e.org/b-2.zip
packages:
- conda: https://e.org/channel/linux-64/python-3.12.1-h1_0.conda
  sha256: {"ab" * 32}
- pypi: {PUBLIC_FILES}/a-1-py3-none-any.whl
  name: a
  version: '1'
  sha256: {"ab" * 32}
- pypi: https://e.org/b-2.zip
  name: b
  version: '2'
  sha256: {"ab" * 32}
- pypi: git+https://e.org/d?rev=main#{COMMIT}
  name: d
  version: '4'
- pypi: ./
  name: rows
  version: 0.1.0
  editable: true
"""

#: Its last name stands for ten million words.
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 8))


def test_a_lock_of_pixi(tmp_path: Path) -> None:
    files = {"main.py": "", "pixi.lock": PIXI, "pixi.toml": "[dependencies]\npython = '*'\n"}
    heard = Heard()
    program = look(fill(tmp_path, files), heard)
    assert program.packages.conda == ("--lock", "pixi.lock")
    x86 = 'platform_machine == "x86_64"'
    assert program.packages.text.splitlines()[1:] == [
        f"a==1 ; {x86} \\", f"    --hash={HASH}", "b @ https://e.org/b-2.zip \\", f"    --hash={HASH}",
    ]  # fmt: skip
    assert program.packages.unhashed == (f"d @ git+https://e.org/d@{COMMIT} ; {x86}",)
    assert program.packages.local == (". ; " + x86,)
    assert program.base_image == "python:3.13-slim-trixie"
    assert "Packages are installed from pixi.lock." in heard.infos
    text = render_dockerfile(program, SERVER)
    assert "ENV PATH=/opt/environment/bin:$PATH" in text
    assert text.index('/pixi.lock", "/program/"]') < text.index("model_installer --conda --lock pixi.lock")
    assert text.index("--conda") < text.index(f"--no-deps -r ./{REQUIREMENTS}")


def test_a_lock_of_pixi_is_for_the_platform_that_is_built(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "pixi.lock": PIXI})
    program = look(folder, platforms=("linux/arm64",))
    assert program.packages.text.splitlines()[1:] == ["b @ https://e.org/b-2.zip \\", f"    --hash={HASH}"]
    (folder / "pixi.lock").write_text(PIXI.replace("linux-aarch64", "osx-arm64"))
    with pytest.raises(ProgramError, match="locked for linux-64, osx-arm64: add linux-aarch64 to the platforms"):
        look(folder, platforms=("linux/arm64",))


def test_other_requirements_come_before_an_unlocked_pixi_toml(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {"main.py": "", "pixi.toml": "", "requirements/prod.txt": "six\n"}))
    assert program.packages.source == "requirements/prod.txt"


def test_packages_of_conda(tmp_path: Path) -> None:
    content = """name: x
channels: [conda-forge, nodefaults, 'https://e.org/c']
variables: {OMP_NUM_THREADS: 1, GREETING: 'say "$HOME"'}
dependencies: [python=3.11, 'numpy>=1.2,<2', pytorch::torch=2.1=cpu_0, {pip: [six]}]
"""
    heard = Heard()
    program = look(fill(tmp_path, {"main.py": "", "environment.yml": content}), heard, python_version="3.11")
    channels = ("--channel", "conda-forge", "--channel", "https://e.org/c")
    assert program.packages.conda == (*channels, "python=3.11", "numpy>=1.2,<2", "pytorch::torch=2.1=cpu_0")
    assert program.packages.text.splitlines()[1:] == ["six"]
    assert program.base_image == "python:3.13-slim-trixie"
    assert heard.warnings == ["environment.yml brings its own Python; python-version is overruled."]
    fetched = "The build fetches py-rattler from the package index, for the packages of conda in environment.yml."
    assert fetched in heard.infos
    text = render_dockerfile(program, SERVER)
    assert 'ENV OMP_NUM_THREADS="1"\nENV GREETING="say \\"\\$HOME\\""\n' in text
    assert "--conda --channel conda-forge --channel https://e.org/c python=3.11 'numpy>=1.2,<2'" in text


@pytest.mark.parametrize(
    "content",
    [f"dependencies: [{', '.join(f'package-{n}' for n in range(6000))}]", f"variables: {{A: {'x' * 65_536}}}"],
)
def test_a_line_that_no_builder_takes_is_told_before_the_build(tmp_path: Path, content: str) -> None:
    program = look(fill(tmp_path, {"main.py": "", "environment.yml": content}))
    with pytest.raises(ProgramError, match=r"A line of the Dockerfile has more than the 65,535 bytes") as caught:
        render_dockerfile(program, SERVER)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "spec",
    [
        "python=3.11",
        "python==3.11.4=h1_0",
        "python 3.11.4 h1_0",
        "python =3.11.*",
        "python >=3.11, <3.12",
        "python=3.11=*_x",
    ],
)
def test_the_python_of_conda_without_another_package_is_that_of_the_base_image(tmp_path: Path, spec: str) -> None:
    program = look(fill(tmp_path, {"main.py": "", "environment.yml": f"dependencies: ['{spec}']"}))
    assert (program.packages.conda, program.python_version) == ((), "3.11")


def test_conda_looks_where_it_always_does_if_no_channel_is_named(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "environment.yml": "dependencies: [numpy]"})
    assert look(folder).packages.conda == ("--channel", "defaults", "numpy")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"environment.yml": "dependencies: ['numpy\\n--x']"}, "is no package of conda"),
        ({"environment.yml": "dependencies: [-numpy]"}, "'-numpy' is no package of conda"),
        ({"environment.yml": "variables: {PATH: /x}\ndependencies: [numpy]"}, "variables: 'PATH' cannot be set"),
        ({"environment.yml": 'variables: {A: "b\\n"}'}, "variables: 'A' cannot be set"),
        ({"environment.yml": "variables: {A: null}"}, "variables: 'A' is no text and no number"),
        ({"environment.yml": "variables: {A: [b]}"}, "variables: 'A' is no text and no number"),
        ({"environment.yml": "dependencies: numpy"}, "dependencies is no list"),
        ({"environment.yml": "channels: ['--x y']\ndependencies: [numpy]"}, "'--x y' is no channel"),
        ({"environment.yml": "channels: ['https://a:b@e.org/c']\ndependencies: [a]"}, "holds a token or a password"),
        ({"environment.yml": "channels: ['https://a:b@e.org/c d']\ndependencies: [a]"}, "holds a token or a password"),
        ({"environment.yml": "dependencies: ['https://e.org/t/ab/c::a']"}, "holds a token or a password"),
        ({"environment.yml": "dependencies: ['a[url=https://a:b@e.org/a.conda]']"}, "holds a token or a password"),
        ({"environment.yml": 'dependencies: ["numpy\\nRUN id"]'}, "'numpy\\nRUN id' is no package of conda"),
        ({"environment.yml": "dependencies: ['--lock::numpy']"}, "is no package of conda"),
        ({"environment.yml": "channels: [-x]\ndependencies: [a]"}, "'-x' is no channel"),
        ({"environment.yml": 'dependencies: [pip: ["a\\r--pre"]]'}, "an option of pip stands among its packages"),
        ({"environment.yml": "dependencies: [numpy, null]"}, "'None' in dependencies is no text"),
        ({"environment.yml": "dependencies: [{conda: [a]}]"}, "\"{'conda': ['a']}\" in dependencies is no text"),
        ({"environment.yml": "dependencies: [{pip: [{a: b}]}]"}, "\"{'a': 'b'}\" in dependencies is no text"),
        ({"environment.yml": "a: !!int ''"}, "environment.yml cannot be read"),
        ({"environment.yml": BOMB}, "environment.yml has an alias (*a0)"),
        ({"environment.yml": "[" * 100_000}, "environment.yml is nested more than 100 levels deep"),
        ({"pixi.lock": "[" * 100_000}, "pixi.lock is nested more than 100 levels deep"),
        ({"pixi.lock": BOMB}, "pixi.lock has an alias (*a0)"),
        ({"pixi.lock": PIXI.replace("e.org/channel/", "e.org/t/ab/channel/")}, "holds a token or a password"),
        ({"pixi.lock": PIXI.replace("e.org/channel/", "a:b@e.org/channel/")}, "holds a token or a password"),
        ({"environment.yml": "channels: ['file:///c']\ndependencies: [a]"}, "'file:///c' is no channel"),
        ({"environment.yml": "channels: ['https://e.org/t/ab/c']\ndependencies: [a]"}, "holds a token or a password"),
        ({"environment.yml": "{"}, "environment.yml is not valid YAML"),
        ({"environment.yml": "[]"}, "its content is list, not a table"),
        ({"pixi.lock": "version: 6"}, "pixi.lock is locked for nothing: add linux-64 to the platforms"),
        ({"pixi.lock": "version: 5"}, "pixi.lock has the version 5; 6 and 7 can be read"),
        ({"pixi.lock": "{"}, "pixi.lock is not valid YAML"),
        ({"pixi.lock": PIXI, "pixi.toml": "[dependencies]\nnumpy = '*'"}, "pixi.lock does not hold numpy for linux-64"),
        (
            {"pixi.lock": PIXI.replace("\n- pypi: https://e.org", "\n- pypi: https://f.org")},
            "says nothing of https://e.org",
        ),
        ({"pixi.lock": PIXI.replace("linux", "osx")}, "pixi.lock is locked for osx-64, osx-aarch64: add linux-64"),
        ({"pixi.toml": ""}, "pixi.toml is not locked: run `pixi lock`"),
    ],
)
def test_what_cannot_be_installed_from_is_refused_by_name(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    with pytest.raises(ProgramError) as caught:
        look(fill(tmp_path, {"main.py": "", **files}))
    assert not caught.value.details
    assert sentence in str(caught.value)
    assert "a:b" not in str(caught.value)


def test_a_long_entry_is_refused_at_once_and_shown_in_part(tmp_path: Path) -> None:
    content = f"dependencies: ['a{' ' * 100_000}\u00e9']"
    started = time.monotonic()
    with pytest.raises(ProgramError) as caught:
        look(fill(tmp_path, {"main.py": "", "environment.yml": content}))
    assert time.monotonic() - started < 20  # minutes, where each blank is tried as the end of the name
    assert len(str(caught.value)) < 400
