"""Imports of a command and its script, and lines that change what they depend on, are found without running them."""

from pathlib import Path

import pytest

from model_runner.imports import Scan, Script, find_script, scan


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("python main.py", ("python", (), "main.py", ())),
        ("/usr/bin/python3.9 -u -W error -X dev -O main.py run {input}",
         ("/usr/bin/python3.9", ("-u", "-W", "error", "-X", "dev", "-O"), "main.py", ("run", "{input}"))),
        ("python -Werror main.py -c x", ("python", ("-Werror",), "main.py", ("-c", "x"))),
        ("python -Xmc main.py", ("python", ("-Xmc",), "main.py", ())),
        ("python -W", None),
        ("python -W error", None),
        ("python", None),
        ("python -u", None),
        ("python -c x", None), ("python -cx", None), ("python -m pkg", None), ("python -mpkg x", None),
        ("python - x", None), ("python -i main.py", None), ("python -V main.py", None), ("python -h main.py", None),
        ("python {input} x", None), ("python {output} x", None), ("python a{input}.py", None),
        ("/python/run main.py", None), ("mypython main.py", None), ("R main.py", None),
    ],
)  # fmt: skip
def test_a_script_is_found_in_its_command(command: str, script: tuple[str, ...] | None) -> None:
    assert find_script(command.split()) == (None if script is None else Script(*script))


def test_all_that_a_script_and_its_neighbours_import_is_found(tmp_path: Path) -> None:
    files = {
        "main.py": "import a.b as c, d\nfrom e.f import g\nfrom . import near\nfrom .sub import x\n"
        "def later():\n    import h\nfrom pkg import inner\nimport pkg.deep.leaf\nimport broken, again",
        "again.py": "import main, again\nimport i",
        "near.py": "import j",
        "sub.py": "from ..far import y\nimport k",
        "pkg/__init__.py": "import l",
        "pkg/inner.py": "import m",
        "pkg/other.py": "import unseen",
        "pkg/deep/leaf/__init__.py": "import n",
        "broken.py": "import (",
        "unseen.py": "import unseen2",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/link.py").symlink_to(tmp_path / "main.py")
    names = {*"adehijklmn", "pkg", "broken", "again", "main"}
    for path in (tmp_path / "main.py", tmp_path / "elsewhere/link.py"):
        assert scan(str(path)) == Scan(names, "")


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        *((line, "os.environ") for line in (
            "os.environ['A'] = 'b'", "x = os.environ['A'] = 'b'", "del os.environ['A']", "os.environ = {}",
            "os.environ['A'] += 'b'", "os.environ['A']: str = 'b'", "environ['A'] = 'b'", "environ.update(A='b')",
            "os.environ.pop('A')", "os.environ.setdefault('A', 'b')", "os.putenv('A', 'b')", "putenv('A', 'b')",
            "os.unsetenv('A')", "unsetenv('A')", "anything.environ.clear()", "def f():\n    os.environ['A'] = 'b'",
        )),
        *((line, "sys.path") for line in (
            "sys.path.insert(0, 'x')", "sys.path.append('x')", "sys.path = []", "sys.path += ['x']",
            "sys.path[0] = 'x'", "del sys.path[0]",
        )),
        ("sys.modules['a'] = b", "sys.modules"),
        ("sys.meta_path.insert(0, x)", "sys.meta_path"),
        ("anything.path_hooks.clear()", "sys.path_hooks"),
        *((line, "") for line in (
            "x = os.environ['A']", "os.environ.get('A')", "os.environ.copy()", "os.environ.items()", "environ.keys()",
            "os.environ.values()", "sys.path.index('x')", "sys.path.count('x')", "x = sys.path", "path.append('x')",
            "module.path.append('x')", "modules['a'] = b", "environment['A'] = 'b'", "os.get('A')", "x['A'] = 'b'",
            "x += 1", "del x", "f()", "(lambda: 1)()", "os.path.join('a')", "sys.argv[1] = 'x'", "sys.path",
        )),
    ],
)  # fmt: skip
def test_a_line_that_changes_what_imports_depend_on_is_named(line: str, setting: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(f"import os\n\n{line}\n", encoding="utf-8")
    number = 3 + line.count("\n")
    assert scan(str(tmp_path / "main.py")).change == (setting and f"main.py line {number} changes {setting}")


def test_the_first_change_is_named_that_of_the_script_first(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import near\nimport os, sys\nsys.path = []\nos.environ = {}\n", encoding="utf-8")
    (tmp_path / "near.py").write_text("import os\nos.environ = {}\n", encoding="utf-8")
    assert scan(str(tmp_path / "main.py")).change == "main.py line 3 changes sys.path"
    (tmp_path / "main.py").write_text("import near\n", encoding="utf-8")
    assert scan(str(tmp_path / "main.py")).change == "near.py line 2 changes os.environ"


@pytest.mark.parametrize(
    ("content", "kind"), [(None, OSError), (b"import (", SyntaxError), (b"\0", (ValueError, SyntaxError))]
)
def test_a_script_that_cannot_be_read_is_an_error(content: bytes | None, kind: type[Exception], tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "main.py").write_bytes(content)
    with pytest.raises(kind):
        scan(str(tmp_path / "main.py"))


def test_of_many_neighbours_only_so_many_are_read(tmp_path: Path) -> None:
    for number in range(210):
        (tmp_path / f"m{number}.py").write_text(f"import m{number + 1}", encoding="utf-8")
    assert scan(str(tmp_path / "m0.py")).names == {f"m{number}" for number in range(1, 200)}
