"""Project formats: what each tool locked is what pip is told to install, and what cannot be is refused by name."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from model_dockerize.errors import InputError, ProgramError
from model_dockerize.program import Program, build_id, render_dockerfile, write_dockerfile
from model_dockerize.program.formats import FORMATS
from model_dockerize.program.formats.conditions import condition, marker_of
from model_dockerize.program.formats.constraints import conda_python, pep440
from model_dockerize.program.formats.folder import Folder, UnusableError
from model_dockerize.program.types import REQUIREMENTS
from tests.rig import projects
from tests.rig.leaks import planted, planted_file
from tests.rig.projects import PUBLIC_INDEX

from .folder import SERVER, Heard, fill, look, paths

LOCKED = {"uv": "uv", "poetry": "poetry", "poetry1": "poetry", "pdm": "pdm", "pipenv": "pipenv", "pylock": "uv"}
HASH = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
COMMIT = "1234567890" * 4


def installed(text: str, python: str, machine: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package that pip would install from `text` on Linux."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.5",
        "platform_machine": machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for line in map(str.strip, text.replace("\\\n", " ").splitlines()):
        if not line or line.startswith(("#", "-")):
            continue
        want, *hashes = re.split(r"\s+--hash=", line)
        requirement = Requirement(want)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.name not in found, f"{requirement.name} twice for {environment}"
            found[requirement.name] = (str(requirement.specifier or requirement.url), frozenset(map(str.strip, hashes)))
    return found


def copied(name: str, folder: Path) -> Path:
    return fill(projects.copy(name, folder), {"main.py": ""})


def text(files: dict[str, str], folder: Path) -> list[str]:
    """Return the translated requirements of a folder, without the first line."""
    return look(fill(folder, {"main.py": "", **files})).packages.text.splitlines()[1:]


def refusal(files: dict[str, str], folder: Path) -> str:
    with pytest.raises(ProgramError) as caught:
        look(fill(folder, {"main.py": "", **files}))
    assert len(caught.value.details) == 1
    return str(caught.value)


@pytest.mark.parametrize("project", LOCKED)
def test_a_lock_is_translated_as_its_own_tool_does(tmp_path: Path, project: str) -> None:
    exported = projects.exported(LOCKED[project])
    program = look(copied(project, tmp_path))
    packages = program.packages
    assert packages.exact
    compared = 0
    for python in ("3.9", "3.10", "3.11", "3.12", "3.13"):
        for machine in ("x86_64", "aarch64"):
            expected = installed(exported, python, machine)
            assert installed(packages.text, python, machine) == expected
            compared += len(expected)
    assert compared >= 30
    assert packages.local == (("-e", ".") if project == "uv" else ())
    assert program.base_image.startswith("python:3.13-")


def test_extras_and_groups_that_are_chosen_are_translated_as_uv_does(tmp_path: Path) -> None:
    exported = projects.exported("uv-chosen")
    heard = Heard()
    packages = look(copied("uv", tmp_path), heard, extras=("Fast",), dependency_groups=("DEV",)).packages
    assert "Packages are installed from uv.lock with extra fast, group dev." in heard.infos
    for python in ("3.9", "3.11", "3.13"):
        assert installed(packages.text, python, "x86_64") == installed(exported, python, "x86_64")


@pytest.mark.parametrize(
    ("project", "extras", "groups", "more"),
    [
        ("poetry", ("fast",), ("dev",), {"attrs": "==26.1.0", "iniconfig": "==2.1.0"}),
        ("poetry1", ("fast",), ("dev",), {"attrs": "==26.1.0", "iniconfig": "==2.1.0"}),
        ("pdm", (), ("dev",), {"iniconfig": "==2.1.0"}),
        ("pipenv", (), ("dev-packages",), {"iniconfig": "==2.3.1"}),
    ],
)
def test_extras_and_groups_of_a_lock(
    tmp_path: Path, project: str, extras: tuple[str, ...], groups: tuple[str, ...], more: dict[str, str]
) -> None:
    folder = copied(project, tmp_path)
    plain = installed(look(folder).packages.text, "3.13", "x86_64")
    chosen = installed(look(folder, extras=extras, dependency_groups=groups).packages.text, "3.13", "x86_64")
    assert {name: version for name, (version, hashes) in chosen.items() if name not in plain and hashes} == more
    assert {name: chosen[name] for name in plain} == plain


PYLOCK = """lock-version = "1.0"
extras = ["fast"]
dependency-groups = ["dev", "serve"]
default-groups = ["serve"]
[[packages]]
name = "a"
version = "1"
marker = "'fast' in extras or 'dev' in dependency_groups"
[[packages]]
name = "b"
version = "1"
marker = "'dev' in dependency_groups and sys_platform == 'linux'"
[[packages]]
name = "c"
version = "1"
marker = "'serve' in dependency_groups"
"""


@pytest.mark.parametrize(
    ("extras", "groups", "lines"),
    [
        ((), (), ["c==1"]),
        (("fast",), (), ["a==1", "c==1"]),
        ((), ("dev",), ["a==1", 'b==1 ; sys_platform == "linux"', "c==1"]),
    ],
)
def test_extras_and_groups_of_pylock(
    tmp_path: Path, extras: tuple[str, ...], groups: tuple[str, ...], lines: list[str]
) -> None:
    folder = fill(tmp_path, {"main.py": "", "pylock.toml": PYLOCK})
    assert look(folder, extras=extras, dependency_groups=groups).packages.text.splitlines()[1:] == lines


def test_extras_of_uv_that_conflict(tmp_path: Path) -> None:
    cpu, gpu = "extra == 'extra-4-rows-cpu'", "extra == 'extra-4-rows-gpu'"
    lock = UV + UV_ROOT % "" + "[package.optional-dependencies]\n"
    lock += f'cpu = [{{ name = "a", marker = "{cpu} or sys_platform == \'win32\'" }}]\n'
    lock += f'gpu = [{{ name = "b", marker = "{gpu} and {cpu.replace("==", "!=")}" }}]\n'
    folder = fill(tmp_path, {"main.py": "", "uv.lock": lock + uv_package("a") + uv_package("b")})
    for extra, name in (("cpu", "a"), ("gpu", "b")):
        lines = look(folder, extras=(extra,)).packages.text.splitlines()
        assert [line.removesuffix(" \\") for line in lines if "==" in line] == [f"{name}==1.0"]


CHOICES = """[project]
name = "rows"
version = "1"
dependencies = ["a"]
[project.optional-dependencies]
cpu = ["b"]
all = ["rows[cpu,plots]", "c"]
plots = ["d>=1"]
[dependency-groups]
base = ["e"]
Serve_It = [{include-group = "base"}, "f; sys_platform == 'linux'"]
[tool.uv]
dev-dependencies = ["g"]
"""
POETRY_CHOICES = """[tool.poetry]
name = "rows"
[tool.poetry.dependencies]
a = "*"
b = {version = "^1", optional = true}
[tool.poetry.extras]
cpu = ["b"]
[tool.poetry.dev-dependencies]
g = "*"
[tool.poetry.group.serve.dependencies]
f = "~2.1"
"""
SETUP = "setup(python_requires='>=3.12', extras_require={'cpu': ['b'], name(): []})"


@pytest.mark.parametrize(
    ("files", "extras", "groups", "lines"),
    [
        ({"pyproject.toml": CHOICES}, ("all",), (), ["a", "c", "b", "d>=1"]),
        ({"pyproject.toml": CHOICES}, (), ("serve-it", "dev"), ["a", "g", "e", 'f; sys_platform == "linux"']),
        ({"pyproject.toml": POETRY_CHOICES}, ("cpu",), ("serve", "dev"), ["a", "b<2,>=1", "g", "f<2.2,>=2.1"]),
        ({"Pipfile": '[packages]\na = "*"\n[dev-packages]\nb = "*"\n[serve]\nc = "*"\n'}, (), ("serve",), ["a", "c"]),
        (
            {"setup.cfg": "[options]\ninstall_requires = a\n[options.extras_require]\ncpu =\n  b\n"},
            ("cpu",),
            (),
            ["a", "b"],
        ),
    ],
)
def test_extras_and_groups_of_what_is_not_locked(
    tmp_path: Path, files: dict[str, str], extras: tuple[str, ...], groups: tuple[str, ...], lines: list[str]
) -> None:
    found = look(fill(tmp_path, {"main.py": "", **files}), extras=extras, dependency_groups=groups)
    assert sorted(found.packages.text.splitlines()[1:]) == sorted(lines)


def test_extras_of_setup_py_are_installed_with_the_project(tmp_path: Path) -> None:
    assert look(fill(tmp_path, {"main.py": "", "setup.py": SETUP}), extras=("cpu",)).packages.local == ("-e", ".[cpu]")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            projects.texts("uv"),
            "extras: uv.lock has no gpu. It has fast. dependency-groups: uv.lock has no x. It has dev.",
        ),
        (projects.texts("pipenv"), "Pipfile.lock has no x. It has dev-packages."),
        (projects.texts("poetry"), "poetry.lock has no gpu. It has fast."),
        (projects.texts("pdm"), "pyproject.toml has no gpu. It has fast."),
        (projects.texts("pylock"), "pylock.toml has no gpu. It has none."),
        ({"requirements.txt": "a"}, "requirements.txt has no gpu. It has none."),
        ({"pyproject.toml": CHOICES}, "pyproject.toml has no gpu. It has all, cpu, plots."),
        ({"setup.py": SETUP}, "setup.py has no gpu. It has cpu."),
        ({}, "the program folder has no gpu. It has none."),
    ],
)
def test_extras_and_groups_that_are_not_there(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        look(fill(tmp_path, {"main.py": "", **files}), extras=("gpu",), dependency_groups=("x",))
    assert sentence in str(caught.value)


def test_a_lock_that_was_made_without_what_is_chosen(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pdm\.lock was locked without fast: run `pdm lock --group :all`"):
        look(copied("pdm", tmp_path), extras=("fast",))


def test_a_translated_lock_is_what_the_dockerfile_installs(tmp_path: Path) -> None:
    folder = copied("uv", tmp_path)
    program = look(folder)
    dockerfile = render_dockerfile(program, SERVER)
    write_dockerfile(program, dockerfile)
    assert (folder / REQUIREMENTS).read_text() == program.packages.text
    assert f'COPY ["${{MODEL_CONTEXT}}/{REQUIREMENTS}", "/program/"]' in dockerfile
    assert f"/run/install/model_installer --no-deps -r ./{REQUIREMENTS}" in dockerfile
    assert dockerfile.index("--no-deps -r") < dockerfile.index('"${MODEL_CONTEXT}/"') < dockerfile.index("-e .")
    assert (folder / "Dockerfile.dockerignore").read_text().splitlines()[-1] == f"!{REQUIREMENTS}"
    again = look(folder)
    assert REQUIREMENTS not in paths(again)
    assert build_id(again, dockerfile, "1") == build_id(program, dockerfile, "1")


def test_a_file_of_that_name_that_is_not_ours_stays(tmp_path: Path) -> None:
    folder = fill(copied("pdm", tmp_path), {REQUIREMENTS: "numpy\n"})
    program = look(folder)
    with pytest.raises(ProgramError, match="was not made by model-dockerize"):
        write_dockerfile(program, render_dockerfile(program, SERVER))
    assert (folder / REQUIREMENTS).read_text() == "numpy\n"


UV = 'version = 1\nrequires-python = ">=3.11"\n'
UV_ROOT = '[[package]]\nname = "rows"\nversion = "1"\nsource = { virtual = "." }\ndependencies = [%s]\n'


PIXI = """version: 6
environments: {default: {packages: {linux-64: [{pypi: "PLACE"}]}}}
packages: [{pypi: "PLACE", name: a, version: "1.0"}]
"""


def uv_package(name: str, source: str = f'{{ registry = "{PUBLIC_INDEX}" }}', more: str = "") -> str:
    wheel = f'wheels = [{{ url = "https://e.org/{name}.whl", hash = "{HASH}" }}]\n' if "git" not in source else ""
    return f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {source}\n{wheel}{more}\n'


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (f'{{ registry = "{PUBLIC_INDEX}" }}', f"a==1.0 \\\n    --hash={HASH}"),
        ('{ url = "https://e.org/a-1.0.whl" }', f"a @ https://e.org/a-1.0.whl \\\n    --hash={HASH}"),
        (
            '{ registry = "https://me:hidden@e.org/simple" }',
            f"--extra-index-url https://e.org/simple\na==1.0 \\\n    --hash={HASH}",
        ),
        (
            f'{{ git = "https://e.org/a.git?subdirectory=b&rev=main#{COMMIT}" }}',
            f"a @ git+https://e.org/a.git@{COMMIT}#subdirectory=b",
        ),
    ],
)
def test_sources_of_uv(tmp_path: Path, source: str, line: str) -> None:
    lock = UV + UV_ROOT % '{ name = "a" }' + uv_package("a", source)
    assert "\n".join(text({"uv.lock": lock}, tmp_path)) == line


def test_what_has_no_hash_is_installed_apart_from_what_has_one(tmp_path: Path) -> None:
    lock = UV + UV_ROOT % '{ name = "a" }, { name = "b" }'
    lock += uv_package("a", f'{{ git = "https://e.org/a#{COMMIT}" }}') + uv_package("b")
    heard = Heard()
    program = look(fill(tmp_path, {"main.py": "", "uv.lock": lock}), heard)
    assert program.packages.text.splitlines()[1:] == ["b==1.0 \\", f"    --hash={HASH}"]
    assert program.packages.unhashed == (f"a @ git+https://e.org/a@{COMMIT}",)
    assert f"--no-deps 'a @ git+https://e.org/a@{COMMIT}'" in render_dockerfile(program, SERVER)
    assert program.system_packages == ("git",)
    assert "git is installed: uv.lock names a package of a git repository." in heard.infos


def test_packages_of_the_folder_come_after_the_code(tmp_path: Path) -> None:
    lock = UV + UV_ROOT % '{ name = "a" }, { name = "b" }, { name = "c", marker = "sys_platform == \'linux\'" }'
    lock += uv_package("a", '{ editable = "libs/a" }') + uv_package("b", '{ path = "wheels/b-1.0.whl" }')
    lock += uv_package("c", '{ directory = "libs/c" }')
    files = {"main.py": "", "uv.lock": lock, "libs/a/setup.py": "", "libs/c/setup.py": "", "wheels/b-1.0.whl": ""}
    program = look(fill(tmp_path, files))
    assert program.packages.local == ("-e", "./libs/a", "./wheels/b-1.0.whl", './libs/c ; sys_platform == "linux"')
    dockerfile = render_dockerfile(program, SERVER)
    assert dockerfile.index('"${MODEL_CONTEXT}/"') < dockerfile.index("-e ./libs/a ./wheels/b-1.0.whl")


def test_a_workspace_without_a_project_is_its_members(tmp_path: Path) -> None:
    lock = UV + '[manifest]\nmembers = ["one", "two"]\n'
    lock += uv_package("one", '{ editable = "one" }', 'dependencies = [{ name = "a" }]')
    lock += uv_package("two", '{ virtual = "two" }', 'dependencies = [{ name = "b" }]')
    lock += uv_package("a") + uv_package("b") + uv_package("c")
    program = look(fill(tmp_path, {"main.py": "", "uv.lock": lock, "one/setup.py": "", "two/x.py": ""}))
    assert [line.split("==")[0] for line in program.packages.text.splitlines() if "==" in line] == ["a", "b"]
    assert program.packages.local == ("-e", "./one")


def test_extras_of_dependencies_and_conflicting_ones_of_the_project(tmp_path: Path) -> None:
    chosen = "extra == 'extra-4-rows-cpu'"
    lock = UV + UV_ROOT % (
        '{ name = "a", extra = ["fast"] }, '
        f'{{ name = "b", marker = "{chosen}" }}, '
        f"{{ name = \"c\", marker = \"(sys_platform == 'linux' and extra != 'extra-4-rows-cpu') or ({chosen})\" }}"
    )
    lock += uv_package("a", more='[package.optional-dependencies]\nfast = [{ name = "d" }]\nslow = [{ name = "b" }]\n')
    lock += uv_package("b") + uv_package("c") + uv_package("d")
    lines = [line.removesuffix(" \\") for line in text({"uv.lock": lock}, tmp_path) if "==" in line]
    assert lines == ["a==1.0", 'c==1.0 ; sys_platform == "linux"', "d==1.0"]


def pipfile_lock(**packages: Any) -> str:
    sources = [
        {"name": "pypi", "url": PUBLIC_INDEX},
        {"name": "mine", "url": "https://me:pw@e.org/simple"},
    ]
    return json.dumps(
        {"_meta": {"sources": sources, "requires": {"python_full_version": "3.12.4"}}, "default": packages}
    )


def test_sources_of_pipenv(tmp_path: Path) -> None:
    lock = pipfile_lock(
        a={"version": "==1", "hashes": [HASH], "index": "mine"},
        b={"git": "https://e.org/b.git", "ref": COMMIT},
        c={"path": "./c", "editable": True},
        rows={"path": ".", "editable": True},
        d={"version": "==2", "hashes": [OTHER], "markers": "python_version < '3.8'"},
    )
    packages = look(fill(tmp_path, {"main.py": "", "Pipfile.lock": lock, "c/setup.py": "", "setup.py": ""})).packages
    assert packages.text.splitlines()[1:] == [
        "--extra-index-url https://e.org/simple",
        "a==1 \\",
        f"    --hash={HASH}",
        'd==2 ; python_version < "3.8" \\',
        f"    --hash={OTHER}",
    ]
    assert packages.unhashed == (f"b @ git+https://e.org/b.git@{COMMIT}",)
    assert packages.local == ("-e", "./c", "-e", ".")
    assert packages.python == "==3.12.4"


POETRY = """
[[package]]
name = "a"
version = "1"
groups = ["main", "dev"]
markers = {main = "python_version >= '3.12'", dev = "sys_platform == 'win32'"}
files = [{file = "a.whl", hash = "%s"}]
[package.source]
type = "legacy"
url = "https://e.org/simple"
reference = "mine"
[[package]]
name = "b"
version = "1"
groups = ["main"]
files = []
[package.source]
type = "git"
url = "https://e.org/b.git"
reference = "main"
resolved_reference = "%s"
subdirectory = "sub"
[[package]]
name = "c"
version = "1"
groups = ["main"]
develop = true
files = []
[package.source]
type = "directory"
url = "libs/c"
[[package]]
name = "d"
version = "1"
groups = ["dev"]
files = []
[[package]]
name = "e"
version = "1"
groups = ["main"]
files = [{file = "e.whl", hash = "%s"}]
[package.source]
type = "url"
url = "https://e.org/e-1.whl"
[metadata]
lock-version = "2.1"
python-versions = "^3.11,<3.14"
"""


def test_sources_of_poetry(tmp_path: Path) -> None:
    files = {"poetry.lock": POETRY % (HASH, COMMIT, OTHER), "libs/c/setup.py": "", "pyproject.toml": ""}
    program = look(fill(tmp_path, {"main.py": "", **files}))
    assert program.packages.text.splitlines()[1:] == [
        "--extra-index-url https://e.org/simple",
        'a==1 ; python_version >= "3.12" \\',
        f"    --hash={HASH}",
        "e @ https://e.org/e-1.whl \\",
        f"    --hash={OTHER}",
    ]
    assert program.packages.unhashed == (f"b @ git+https://e.org/b.git@{COMMIT}#subdirectory=sub",)
    assert program.packages.local == ("-e", "./libs/c")
    assert program.python_version == "3.11"


POETRY_1 = """
[[package]]
name = "a"
version = "1"
optional = false
python-versions = "*"
files = [{file = "a.whl", hash = "%s"}]
[package.dependencies]
b = [{version = ">=2", markers = "python_version >= '3.12'"}, {version = "<2", markers = "python_version < '3.12'"}]
c = {version = "*", optional = true, markers = "extra == 'fast'"}
d = {version = "*", optional = true, markers = "extra == 'slow'"}
[[package]]
name = "b"
version = "1.5"
files = []
[[package]]
name = "b"
version = "2.5"
files = []
[[package]]
name = "c"
version = "1"
files = []
[[package]]
name = "d"
version = "1"
files = []
[[package]]
name = "test"
version = "1"
files = []
[metadata]
python-versions = ">=3.9"
"""


def test_a_lock_of_poetry_1_is_followed_from_the_project(tmp_path: Path) -> None:
    asked = '[tool.poetry.dependencies]\npython = ">=3.9"\na = {version = "^1", extras = ["fast"]}\n'
    files = {"poetry.lock": POETRY_1 % HASH, "pyproject.toml": asked}
    packages = look(fill(tmp_path, {"main.py": "", **files})).packages
    assert packages.unhashed == (
        'b==1.5 ; python_version < "3.12"',
        'b==2.5 ; python_version >= "3.12"',
        "c==1",
    )
    assert packages.text.splitlines()[1:] == ["a==1 \\", f"    --hash={HASH}"]


def test_groups_and_sources_of_pylock(tmp_path: Path) -> None:
    lock = f"""lock-version = "1.0"
requires-python = ">=3.12"
default-groups = ["default"]
[[packages]]
name = "a"
version = "1"
marker = "'default' in dependency_groups"
index = "{PUBLIC_INDEX}"
wheels = [{{name = "a.whl", url = "https://e.org/a.whl", hashes = {{sha256 = "{HASH[7:]}", md5 = "00"}}}}]
[[packages]]
name = "b"
version = "1"
marker = "'dev' in dependency_groups or 'fast' in extras"
[[packages]]
name = "c"
marker = "'fast' not in extras and sys_platform == 'linux'"
[packages.vcs]
type = "git"
url = "https://e.org/c"
commit-id = "{COMMIT}"
[[packages]]
name = "d"
[packages.archive]
url = "https://e.org/d.zip"
hashes = {{sha256 = "{OTHER[7:]}"}}
[[packages]]
name = "e"
directory = {{path = "libs/e", editable = true}}
"""
    packages = look(fill(tmp_path, {"main.py": "", "pylock.toml": lock, "libs/e/setup.py": ""})).packages
    assert [line for line in packages.text.splitlines()[1:] if "--hash" not in line] == [
        "a==1 \\",
        "d @ https://e.org/d.zip \\",
    ]
    assert packages.unhashed == (f'c @ git+https://e.org/c@{COMMIT} ; sys_platform == "linux"',)
    assert (packages.local, packages.python) == (("-e", "./libs/e"), ">=3.12")


PROJECT = """[project]
name = "rows"
version = "1"
requires-python = ">=3.12"
dependencies = ["a>=1", "b[c]; sys_platform == 'linux'"]
"""
BACKEND = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'


@pytest.mark.parametrize(
    ("files", "source", "lines", "local", "version"),
    [
        ({"pyproject.toml": PROJECT}, "pyproject.toml", ["a>=1", 'b[c]; sys_platform == "linux"'], (), "3.12"),
        (
            {"pyproject.toml": PROJECT + BACKEND},
            "pyproject.toml",
            ["a>=1", 'b[c]; sys_platform == "linux"'],
            ("-e", "."),
            "3.12",
        ),
        ({"pyproject.toml": PROJECT + BACKEND + "[tool.uv]\npackage = false\n"}, "pyproject.toml", None, (), "3.12"),
        (
            {"pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n'},
            "pyproject.toml",
            [],
            ("-e", "."),
            "3.13",
        ),
        (
            {
                "pyproject.toml": '[tool.poetry]\nname = "my-rows"\n[tool.poetry.dependencies]\npython = "~3.11"\n'
                'a = "^1.2"\nb = {version = "0.3.*", extras = ["c"], python = ">=3.10"}\n'
                '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
            },
            "pyproject.toml",
            ["a<2,>=1.2", 'b[c]==0.3.*; python_full_version >= "3.10"'],
            (),
            "3.11",
        ),
        (
            {
                "Pipfile": '[packages]\na = "*"\nb = {version = "~=1.2", extras = ["c"]}\n'
                '[requires]\npython_version = "3.11"\n'
            },
            "Pipfile",
            ["a", "b[c]~=1.2"],
            (),
            "3.11",
        ),
        ({"setup.py": 'setup(python_requires=">=3.12", install_requires=["a"])'}, "setup.py", [], ("-e", "."), "3.12"),
        (
            {"setup.cfg": "[options]\npython_requires = >=3.12\ninstall_requires =\n    a>=1\n    # why\n    b\n"},
            "setup.cfg",
            ["a>=1", "b"],
            (),
            "3.12",
        ),
        (
            {"environment.yml": "dependencies: [python=3.11, pip, {pip: [a>=1, 'b[c]']}]"},
            "environment.yml",
            ["a>=1", "b[c]"],
            (),
            "3.11",
        ),
        ({"conda.yaml": "dependencies:\n  - conda-forge::python >=3.12,<3.13\n"}, "conda.yaml", [], (), "3.12"),
        (
            {"requirements/base.txt": "a\n", "requirements/prod.txt": "-r base.txt\n"},
            "requirements/prod.txt",
            [],
            (),
            "3.13",
        ),
        ({"requirements/model.txt": "a\n", "requirements/dev.txt": "b\n"}, "requirements/model.txt", [], (), "3.13"),
    ],
)
def test_what_is_not_locked(
    tmp_path: Path, files: dict[str, str], source: str, lines: list[str] | None, local: tuple[str, ...], version: str
) -> None:
    program = look(fill(tmp_path, {"main.py": "", **files}))
    packages = program.packages
    assert (packages.source, packages.local, program.python_version) == (source, local, version)
    assert not packages.exact or not lines
    if lines is not None:
        assert packages.text.splitlines()[1:] == lines


def test_a_package_of_poetry_is_installed_if_there_is_one(tmp_path: Path) -> None:
    project = (
        '[tool.poetry]\nname = "my-rows"\n%s[build-system]\nrequires = []\nbuild-backend = "poetry.core.masonry.api"\n'
    )
    folder = fill(tmp_path, {"main.py": "", "pyproject.toml": project % "", "src/my_rows/__init__.py": ""})
    assert look(folder).packages.local == ("-e", ".")
    assert look(fill(folder, {"pyproject.toml": project % "package-mode = false\n"})).packages.local == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\ndependencies = ["a @ https://me:%s@e.org/a.zip"]'),
        ("setup.cfg", "[options]\ninstall_requires = a @ https://me:%s@e.org/a.zip"),
        ("environment.yml", "dependencies: [pip: ['a @ https://me:%s@e.org/a.zip']]"),
    ],
)
@pytest.mark.parametrize(("password", "warns"), [("pw", True), ("${PW}", False)])
def test_a_password_in_an_address_is_told_whatever_the_format(
    tmp_path: Path, name: str, text: str, password: str, warns: bool
) -> None:
    heard = Heard()
    look(fill(tmp_path, {"main.py": "", name: text % password}), heard)
    told = [warning for warning in heard.warnings if warning.startswith(f"{name} holds a password, which everybody")]
    assert bool(told) == warns


RENV = json.dumps({"R": {"Version": "4.4.1", "Repositories": [{"Name": "CRAN", "URL": "https://r.example"}]}})


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"environment.yml": "dependencies: [pip: ['-e .']]"}, "an option of pip stands among its packages"),
        ({"conda-lock.yml": ""}, "conda-lock.yml says which packages the program needs, and is not read"),
        ({"renv.lock": "{}"}, "renv.lock names no version of R"),
        ({"renv.lock": RENV.replace("https://", "https://me:pw@")}, "without credentials"),
        ({"renv.lock": RENV.replace("CRAN", "-e x")}, "a repository has no name"),
        ({"renv.lock": RENV.replace("r.example", "r.example\\u0000")}, "a repository has no name"),
        ({"renv.lock": RENV.replace("4.4.1", "\u0664.4.1")}, "renv.lock names no version of R"),
        ({"uv.lock": "version = 2"}, "uv.lock has the version 2; version 1 can be read"),
        ({"uv.lock": "version = 1"}, "does not hold the project of pyproject.toml: run `uv lock`"),
        ({"uv.lock": "version ="}, "uv.lock is not valid TOML"),
        ({"uv.lock": "version = 1\npackage = 3"}, "package is int, not a list"),
        (
            {"uv.lock": UV + UV_ROOT % '{ name = "a" }' + uv_package("a", '{ git = "https://[x#abc" }')},
            "the address of a repository is no URL",
        ),
        (
            {"uv.lock": UV + UV_ROOT % '{ name = "a" }' + uv_package("a", '{ url = "https://[x" }')},
            "the url of 'a' cannot be installed from",
        ),
        (
            {"uv.lock": UV + UV_ROOT % '{ name = "a" }' + uv_package("a", '{ registry = "https://[x" }')},
            "the address of an index is no URL",
        ),
        ({"pixi.lock": PIXI.replace("PLACE", "https://[x")}, "the url of 'a' cannot be installed from"),
        ({"pdm.lock": "[metadata]\nstrategy = []"}, "pdm lock --strategy inherit_metadata"),
        ({"Pipfile.lock": pipfile_lock(a={"version": "==\n1"})}, "the version of 'a' cannot be installed from"),
        ({"Pipfile.lock": "["}, "Pipfile.lock is not valid JSON"),
        ({"Pipfile.lock": "[]"}, "its content is list, not a table"),
        ({"Pipfile.lock": pipfile_lock(a={"hg": "https://e.org/a"})}, "a comes from a repository that is not git's"),
        (
            {"Pipfile.lock": pipfile_lock(a={"git": "https://e.org/a", "ref": "main"})},
            "'main' of a repository, which is no commit",
        ),
        ({"Pipfile.lock": pipfile_lock(a={"path": "../a"})}, "outside of the program folder"),
        ({"Pipfile.lock": pipfile_lock(a={"path": "/a"})}, "outside of the program folder"),
        ({"Pipfile.lock": pipfile_lock(a={"path": "a"})}, "which is not in the folder"),
        ({"Pipfile.lock": pipfile_lock(a={"version": "==1\n--index-url https://evil.org"})}, "a: Invalid version"),
        ({"Pipfile.lock": pipfile_lock(**{"a\n-r /etc/passwd": {"version": "==1"}})}, "the name of"),
        ({"Pipfile.lock": pipfile_lock(a={"version": "==1", "markers": "x\n-r y"})}, "is no marker"),
        ({"Pipfile.lock": pipfile_lock(a={"version": "==1", "hashes": ["sha256:0 --pre"]})}, "the hash of 'a'"),
        ({"Pipfile.lock": pipfile_lock(a={"file": "https://e.org/a b"})}, "the url of 'a'"),
        ({"Pipfile": '[packages]\na = {git = "https://e.org/a"}'}, "Run `pipenv lock`: the lock is installed from"),
        ({"pylock.toml": 'lock-version = "2.0"'}, "version 1 can be read"),
        ({"pyproject.toml": '[project]\ndependencies = ["a b"]'}, "'a b' in dependencies is no requirement"),
        ({"pyproject.toml": PROJECT + '[tool.uv.sources]\na = { path = "../a" }'}, "a come from places that only"),
        ({"setup.cfg": "[options]\ninstall_requires = a b\n"}, "setup.cfg: install_requires"),
        ({"pyproject.toml": PROJECT + '[dependency-groups]\na = "b"'}, "dependency-groups.a is no list"),
        (
            {"requirements.txt": "a==1\nnumpy @ file:///croot/numpy_1/work/dist/numpy-1.whl\n"},
            "requirements.txt line 2: 'numpy @ file:///croot/numpy_1/work/dist/numpy-1.whl' is a path on the computer",
        ),
        ({"requirements/one.txt": "", "requirements/two.txt": ""}, "several files could be the requirements"),
        (
            {"uv.lock": UV + UV_ROOT % "", "pyproject.toml": PROJECT},
            "uv.lock does not hold a, which the project asks for",
        ),
        (
            {
                "uv.lock": UV + UV_ROOT % '{ name = "a" }' + uv_package("a"),
                "pyproject.toml": PROJECT.replace("a>=1", "a>=2"),
            },
            "uv.lock holds a 1.0, and the project asks for >=2: run `uv lock`.",
        ),
        *(
            (
                {name: text.replace(click, f"later{click[5:]}") for name, text in projects.texts(tool).items()},
                f"{lock} does not hold later, which the project asks for: run `{tool} ",
            )
            for tool, click, lock in (
                ("pdm", "click>=8", "pdm.lock"),
                ("poetry", 'click = "^8.0"', "poetry.lock"),
                ("pipenv", 'click = ">=8"', "Pipfile.lock"),
            )
        ),
    ],
)
def test_what_cannot_be_installed_from_is_refused_by_name(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    assert sentence in refusal(files, tmp_path)


def test_what_the_base_image_brings_is_not_refused_if_that_is_said(tmp_path: Path) -> None:
    heard = Heard()
    folder = fill(tmp_path, {"main.py": "", "environment.yml": "dependencies: [numpy]"})
    assert look(folder, heard, requirements_file="none").packages.source == ""
    assert heard.warnings == [
        "environment.yml is not installed from. If the model needs its packages, name it with requirements-file."
    ]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"requirements.txt": "", "uv.lock": "", "environment.yml": "", "pyproject.toml": "[tool.ruff]"},
            "Packages are installed from requirements.txt. Passed over: uv.lock, environment.yml.",
        ),
        (
            {"pylock.toml": 'lock-version = "1.0"', "requirements-dev.txt": "", "setup.py": ""},
            "Packages are installed from pylock.toml. Passed over: setup.py, requirements-dev.txt.",
        ),
        ({"requirements.txt": ".", "setup.py": ""}, "Packages are installed from requirements.txt."),
    ],
)
def test_what_is_passed_over_is_told(tmp_path: Path, files: dict[str, str], told: str) -> None:
    heard = Heard()
    look(fill(tmp_path, {"main.py": "", **files}), heard)
    assert told in heard.infos


def test_a_lock_of_r_is_restored_on_its_r(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {"score.R": "", "renv.lock": RENV}), command="Rscript score.R")
    assert program.packages.renv == ("renv.lock", "CRAN=https://r.example")
    assert program.base_image == "rocker/r-ver:4.4.1"
    text = render_dockerfile(program, SERVER)
    assert "Rscript --vanilla /run/install/model_installer/restore.R renv.lock CRAN=https://r.example" in text
    assert text.index('/renv.lock", "/program/"]') < text.index("restore.R") < text.index('"${MODEL_CONTEXT}/", ')
    heard = Heard()
    assert look(tmp_path, heard, command="Rscript score.R", base_image="r:1").base_image == "r:1"
    assert "The build takes renv from the base image, else from a repository of renv.lock." in heard.infos


def test_an_init_script_is_taken_to_restore_a_lock_of_r(tmp_path: Path) -> None:
    files = {"score.R": "", "renv.lock": "{}", "init.sh": "#!/bin/sh\nRscript -e 'renv::restore()'\n"}
    folder = fill(tmp_path, files)
    assert look(folder, command="Rscript score.R", base_image="rocker/r-ver:4.4.1").packages.source == ""


def test_a_file_of_any_format_may_be_named(tmp_path: Path) -> None:
    folder = fill(copied("pdm", tmp_path), {"requirements.txt": "numpy\n", "sub/uv.lock": ""})
    assert look(folder).packages.source == "requirements.txt"
    assert look(folder, requirements_file="pdm.lock").packages.source == "pdm.lock"
    with pytest.raises(ProgramError, match=r"sub/uv\.lock is read at the top of the folder only"):
        look(folder, requirements_file="sub/uv.lock")
    with pytest.raises(InputError, match=r"'poetry\.lock' is not in the folder"):
        look(folder, requirements_file="poetry.lock")


def test_what_lies_in_a_folder_of_the_folder_is_told_if_nothing_is_installed(tmp_path: Path) -> None:
    files = {"binder/environment.yml": "", "model/requirements.txt": "", "model/setup.cfg": "", "a/b/uv.lock": ""}
    heard = Heard()
    look(fill(tmp_path, {"main.py": "", **files}), heard)
    assert [warning.partition(" ")[0] for warning in heard.warnings] == [
        "binder/environment.yml",
        "model/requirements.txt",
    ]
    heard = Heard()
    look(fill(tmp_path, {"requirements.txt": "a"}), heard)
    assert heard.warnings == []


def test_what_dockerignore_hides_is_told(tmp_path: Path) -> None:
    heard = Heard()
    look(fill(tmp_path, {"main.py": "", "requirements.txt": "a\n", ".dockerignore": "*\n!*.py\n"}), heard)
    assert heard.warnings == ["requirements.txt is left out (.dockerignore), so nothing is installed from it."]


@pytest.mark.parametrize(
    ("constraint", "specifier"),
    [
        ("*", ""),
        ("^1.2.3", "<2,>=1.2.3"),
        ("^0.2.3", "<0.3,>=0.2.3"),
        ("^0.0.3", "<0.0.4,>=0.0.3"),
        ("^0", "<1,>=0"),
        ("~1.2.3", "<1.3,>=1.2.3"),
        ("~1", "<2,>=1"),
        ("~=1.2", "~=1.2"),
        ("1.2", "==1.2"),
        ("1.2.*", "==1.2.*"),
        ("=1.2", "==1.2"),
        (">=1.2,<2", "<2,>=1.2"),
        (">=1.2 <2", "<2,>=1.2"),
        (">= 3.8, != 3.9.7", "!=3.9.7,>=3.8"),
        (">=3.6,<3.7 || >=3.9", ">=3.9"),
        ("1.0.post1", "==1.0.post1"),
    ],
)
def test_constraints_of_poetry(constraint: str, specifier: str) -> None:
    assert pep440(constraint, "pyproject.toml", "a") == specifier


def test_a_constraint_that_is_none() -> None:
    with pytest.raises(UnusableError, match="'latest' of a is no version constraint"):
        pep440("latest", "pyproject.toml", "a")


@pytest.mark.parametrize(
    ("spec", "specifier"),
    [
        ("=3.11", "==3.11.*"),
        ("3.11.*", "==3.11.*"),
        ("==3.11.4", "==3.11.4"),
        (">=3.9,<3.12", "<3.12,>=3.9"),
        ("", ""),
        (" 3.11", "==3.11.*"),
    ],
)
def test_the_python_of_conda(spec: str, specifier: str) -> None:
    assert conda_python(spec) == specifier


@pytest.mark.parametrize(
    ("marker", "extras", "text"),
    [
        ("", [], ""),
        ("extra == 'a'", ["a"], ""),
        ("extra != 'a' or os_name == 'posix'", [], ""),
        ("extra == 'A_b' and os_name == 'posix'", ["a-b"], 'os_name == "posix"'),
        ("(os_name == 'nt' or extra == 'a') and sys_platform == 'linux'", ["a"], 'sys_platform == "linux"'),
        ("os_name == 'nt' or os_name == 'nt' and extra == 'a'", ["a"], 'os_name == "nt"'),
        (
            "'linux' in sys_platform and '(and)' not in os_name",
            [],
            '"(and)" not in os_name and "linux" in sys_platform',
        ),
    ],
)
def test_markers(marker: str, extras: list[str], text: str) -> None:
    assert marker_of(condition(marker, "x.lock", extras)) == text


def test_a_marker_that_is_never_true_and_one_without_end() -> None:
    assert not condition("extra == 'a' and os_name == 'posix'", "x.lock")
    endless = " and ".join(f"(os_name == '{n}' or sys_platform == '{n}')" for n in range(12))
    with pytest.raises(UnusableError, match=r"x\.lock: its markers combine"):
        condition(endless, "x.lock")


@pytest.mark.parametrize("project", LOCKED)
@pytest.mark.parametrize("other", ["5", "[5]", '"x"', "{ a = 1 }", "[]"])
def test_a_lock_of_another_form_is_refused_or_read(project: str, other: str) -> None:
    texts = projects.texts(project)
    refused = 0
    for name, content in texts.items():
        one = next((one for one in FORMATS if name in one.files), None)
        if one is None:
            continue
        lines = content.split("\n")
        for number, line in enumerate(lines):
            changed = re.sub(r'^(\s*"?[\w-]+"?\s*[=:])\s*.*?(,?)$', rf"\1 {other}\2", line)
            if changed == line or line.endswith(("[", "{", "(")):
                continue
            text = "\n".join((*lines[:number], changed, *lines[number + 1 :]))
            try:
                one.read(Folder({**texts, name: text}, frozenset(texts)))
            except UnusableError as error:
                refused += 1
                assert name in str(error) or "pyproject.toml" in str(error) or "Pipfile" in str(error)
    assert refused


@pytest.mark.parametrize("scheme", ["https", "git+https"])
def test_credentials_in_the_address_of_a_package_are_refused_and_not_told(tmp_path: Path, scheme: str) -> None:
    secret = planted("token-in-lock")
    address = f"https://me:{secret}@e.org/a"
    package = {"git": address, "ref": COMMIT} if scheme == "git+https" else {"file": address}
    planted_file(tmp_path / "Pipfile.lock", pipfile_lock(a=package))
    with pytest.raises(ProgramError) as caught:
        look(fill(tmp_path, {"main.py": ""}))
    assert "the address of a holds credentials" in str(caught.value)
    assert secret not in str((caught.value, caught.value.details, caught.value.remedy))


def test_local_requirements_come_after_the_code(tmp_path: Path) -> None:
    files = {"main.py": "", "environment.yml": "dependencies: [{pip: [./libs/a]}]", "libs/a/setup.py": ""}
    assert look(fill(tmp_path, files)).packages.need_code


def test_a_lock_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = fill(tmp_path / "program", {"main.py": ""})
    (tmp_path / "secret").write_text("[")
    (folder / "uv.lock").symlink_to("../secret")
    os.mkfifo(tmp_path / "pipe")
    (folder / "pdm.lock").symlink_to("../pipe")
    with pytest.raises(ProgramError) as caught:
        look(folder)
    assert [detail.partition(" leaves")[0] for detail in caught.value.details] == [
        "the symbolic link 'pdm.lock'",
        "the symbolic link 'uv.lock'",
    ]


def test_programs_without_packages(tmp_path: Path) -> None:
    program: Program = look(fill(tmp_path, {"main.py": "", "pyproject.toml": "[tool.ruff]\nline-length = 100\n"}))
    assert program.packages.source == ""
    assert "model_installer" not in render_dockerfile(program, SERVER)
