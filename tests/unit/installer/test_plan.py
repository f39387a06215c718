"""The call of uv or pip, word by word, and what else the installer starts, says and leaves."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_installer import cuda, install, pip_settings, requirements
from model_installer.install import Plan, main, plan
from model_installer.translate import Told, translate

from .test_installer import NOWHERE, elsewhere, package

__all__ = ["elsewhere"]

UV = "/bin/true"
#: HOME of whoever builds, in the image.
HOME = "/root"
FIRST = [
    *(UV, "pip", "install", "--python", sys.executable, "--break-system-packages", "--compile-bytecode"),
    *("--index-strategy", "unsafe-best-match"),
]
OURS = {
    "UV_CACHE_DIR": f"{HOME}/.cache/uv",
    "UV_LINK_MODE": "copy",
    "UV_NO_CONFIG": "1",
    "UV_NO_PROGRESS": "1",
    "UV_NO_SOURCES": "1",
    "UV_PYTHON_DOWNLOADS": "never",
}


@pytest.mark.parametrize("version", [(3, 8), (3, 13)])
def test_a_call_of_uv_word_by_word(version: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("--pre\nsix==1 --hash=sha256:1\n", encoding="utf-8")
    settings = {"PIP_PRE": "1", "PIP_NO_INDEX": "yes", "PIP_PROXY": "http://p", "PIP_FIND_LINKS": "/w"}
    environment = {**NOWHERE, **settings, "UV_INDEX_URL": "x", "UV_LINK_MODE": "hardlink", "PATH": "/bin"}
    arguments = ["--no-deps", "-r", "r.txt", "--no-deps", "six", "six"]
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://p")
    assert plan(arguments, environment, version, UV) == Plan(
        [
            *FIRST,
            "--find-links",
            "/w",
            "--no-index",
            "--pre",
            "--require-hashes",
            "--no-deps",
            "-r",
            "r.txt",
            "six",
            "six",
        ],
        {**NOWHERE, **settings, "PATH": "/bin", **OURS, **proxies},
        [],
    )


def test_what_uv_lacks_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("--prefer-binary\nsix\n", encoding="utf-8")
    found = plan(["-r", "r.txt"], {**NOWHERE, "PIP_TARGET": "/x"}, (3, 13), UV)
    assert found.obstacles == ["target", "--prefer-binary"]
    assert plan(["six"], NOWHERE, (3, 7), UV) == Plan([], {}, ["Python 3.7"])
    assert plan(["six"], NOWHERE, (3, 13), "/dev/null") == Plan([], {}, ["this processor"])
    (tmp_path / "pip.conf").write_bytes(b"[global]\nproxy = \xff\n")
    found = plan(["six"], {**NOWHERE, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}, (3, 13), UV)
    assert found == Plan([], {}, ["pip's configuration (UnicodeDecodeError)"])


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("extra-index-url", "https://a/ \n https://b/",
         Told(["--extra-index-url", "https://a/", "--extra-index-url", "https://b/"], {}, [])),
        ("find-links", "/a /b", Told(["--find-links", "/a", "--find-links", "/b"], {}, [])),
        ("trusted-host", "a", Told(["--allow-insecure-host", "a"], {}, [])),
        ("constraint", "a b", Told(["--constraints", "a", "--build-constraints", "a",
                                    "--constraints", "b", "--build-constraints", "b"], {}, [])),
        ("build-constraint", "a", Told(["--build-constraints", "a"], {}, [])),
        ("no-binary", "a,b c", Told(["--no-binary", "a", "--no-binary", "b", "--no-binary", "c"], {}, [])),
        ("only-binary", ":all:", Told(["--only-binary", ":all:"], {}, [])),
        ("index-url", "https://a/", Told(["--default-index", "https://a/"], {}, [])),
        ("cert", "/a", Told([], {"SSL_CERT_FILE": "/a"}, [])),
        ("client-cert", "/a", Told([], {"SSL_CLIENT_CERT": "/a"}, [])),
        ("timeout", "7", Told([], {"UV_HTTP_TIMEOUT": "7"}, [])),
        ("default-timeout", "7", Told([], {"UV_HTTP_TIMEOUT": "7"}, [])),
        ("retries", "7", Told([], {"UV_HTTP_RETRIES": "7"}, [])),
        *((flag, value, Told([f"--{flag}"], {}, []))
          for flag in ("no-index", "pre", "no-deps", "require-hashes") for value in ("1", "true", "yes", "x")),
        *(("pre", value, Told([], {}, [])) for value in ("", "0", "n", "No", "f", "FALSE", "off")),
        *(("keyring-provider", value, Told([], {}, [])) for value in ("auto", "disabled")),
        ("keyring-provider", "import", Told([], {}, ["keyring-provider"])),
        ("cache-dir", "auto", Told([], {}, [])), ("user", "1", Told([], {}, [])), ("verbose", "1", Told([], {}, [])),
        ("target", "auto", Told([], {}, ["target"])),
    ],
)  # fmt: skip
def test_each_option_of_pip_in_the_words_of_uv(option: str, value: str, told: Told) -> None:
    assert translate({option: value}, own_index=False) == told


def test_an_index_of_the_requirements_counts_more() -> None:
    settings = {"index-url": "https://a/", "extra-index-url": "https://b/"}
    assert translate(settings, own_index=True) == Told(["--extra-index-url", "https://b/"], {}, [])


@pytest.mark.parametrize(
    ("text", "arguments", "lacking", "own_index", "hashes"),
    [
        ("six\n", [], [], False, False),
        ("six==1 --hash=sha256:1\n", ["--require-hashes"], [], False, True),
        ("--pre\n--trusted-host=a\n--trusted-host b:1\n", ["--pre", "--allow-insecure-host", "a",
                                                          "--allow-insecure-host", "b:1"], [], False, False),
        ("-i https://a/\n", [], [], True, False),
        ("--index-url=https://a/\n", [], [], True, False),
        ("-e .\n--editable .\n-f w\n--find-links w\n--extra-index-url u\n--no-index\n--no-binary a\n--only-binary a\n"
         "--require-hashes\n", [], [], False, False),
        ("--prefer-binary\n--use-feature=x\n-x\n", [], ["--prefer-binary", "--use-feature", "-x"], False, False),
        ("six --config-settings=a --global-option=b --hash=x\n", ["--require-hashes"],
         ["--config-settings", "--global-option"], False, True),
        ("a@git+https://x\nb @ hg+https://x\nc @ svn+x\nd @ bzr+x\n", [],
         ["repositories of other kinds than git"] * 3, False, False),
        ("-e hg+https://x\n", [], ["repositories of other kinds than git"], False, False),
        ("# --prefer-binary\nsix # --prefer-binary\nsix#--x\n", [], [], False, False),
        ("six \\\n  --config-settings=a\r\nseven \\\r\n  --hash=x\n", ["--require-hashes"],
         ["--config-settings"], False, True),
        ("\ufeff--pre\n", ["--pre"], [], False, False),
        ("", [], [], False, False),
    ],
)  # fmt: skip
def test_what_a_requirements_file_says(
    text: str, arguments: list[str], lacking: list[str], own_index: bool, hashes: bool, tmp_path: Path
) -> None:
    (tmp_path / "r.txt").write_bytes(text.encode())
    found = requirements.Found(arguments, lacking, own_index, hashes)
    assert requirements.look(["six", "-r", "r.txt", "--requirement", "./r.txt", "x"]) == found
    assert requirements.look(["six", "r.txt"]) == requirements.Found([], [], False, False)


@pytest.mark.parametrize(
    "line",
    [
        "-r more/b.txt", "-rmore/b.txt", "--requirement more/b.txt", "--requirement=more/b.txt",
        "--requirement = more/b.txt", "-c more/b.txt", "-cmore/b.txt", "--constraint=more/b.txt", "-r 'more/b.txt'",
        '-r "more/b.txt"', "-r more/b.txt # why",
    ],
)  # fmt: skip
def test_a_file_that_a_file_names_is_read_too(line: str, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/b.txt").write_text("-r c.txt\n", encoding="utf-8")
    (tmp_path / "more/c.txt").write_text("--prefer-binary\n-r ../r.txt\n-r https://x/\n-r gone\n", encoding="utf-8")
    (tmp_path / "r.txt").write_text(f"{line}\n", encoding="utf-8")
    assert requirements.look(["-r", str(tmp_path / "r.txt")]).lacking == ["--prefer-binary"]


@pytest.mark.parametrize("content", [b"six\xff\n", b"six\0\n"])
def test_another_encoding_is_pips_to_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes(content)
    assert requirements.look(["-r", "r.txt"]).lacking == ["--an-encoding-other-than-utf-8"]


@pytest.mark.parametrize(
    ("environment", "read"),
    [
        ({}, ["/etc/xdg/pip/pip.conf", "ALL", "HOME/.pip/pip.conf", "HOME/.config/pip/pip.conf", "/p/pip.conf"]),
        ({"XDG_CONFIG_DIRS": "/a:/b", "XDG_CONFIG_HOME": "/c"},
         ["/a/pip/pip.conf", "/b/pip/pip.conf", "ALL", "HOME/.pip/pip.conf", "/c/pip/pip.conf", "/p/pip.conf"]),
        ({"PIP_CONFIG_FILE": "/gone"}, ["/etc/xdg/pip/pip.conf", "ALL", "HOME/.pip/pip.conf",
                                       "HOME/.config/pip/pip.conf", "/p/pip.conf", "/gone"]),
        ({"PIP_CONFIG_FILE": "/dev/zero"}, ["/etc/xdg/pip/pip.conf", "ALL", "/p/pip.conf", "/dev/zero"]),
        ({"PIP_CONFIG_FILE": "/dev/null"}, []),
    ],
)  # fmt: skip
def test_where_pip_looks_for_its_settings(
    environment: dict[str, str], read: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    home = str(tmp_path / "home")
    monkeypatch.setattr(pip_settings, "_OF_ALL_USERS", "ALL")
    monkeypatch.setattr(os.path, "isfile", lambda path: bool(looked.append(path)))
    assert pip_settings.read(environment, "/p") == {}
    assert looked == [path.replace("HOME", home) for path in read]


def test_pip_looks_into_the_file_of_all_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    looked: list[str] = []
    monkeypatch.setattr(os.path, "isfile", lambda path: bool(looked.append(path)))
    pip_settings.read({}, "/p")
    assert "/etc/pip.conf" in looked


def test_settings_have_the_names_of_long_options(tmp_path: Path) -> None:
    text = "[global]\nTRUSTED_HOST = é\n--no-deps = 1\nempty =\n[install]\ntrusted-host = b\n[other]\nx = 1\n"
    (tmp_path / "pip.conf").write_text(text, encoding="utf-8")
    environment = {
        **NOWHERE, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_VERSION": "1", "PIP_HELP": "1",
        "PIP_NO_INDEX": "0", "PIP___PRE": "1", "XPIP_A": "1", "pip_b": "1",
    }  # fmt: skip
    assert pip_settings.read(environment, "/p") == {
        "trusted-host": "b", "no-deps": "1", "empty": "", "no-index": "0", "pre": "1",
    }  # fmt: skip
    (tmp_path / "pip.conf").write_text("[global]\nproxy = é\n", encoding="utf-8")
    assert pip_settings.read({**NOWHERE, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}, "/p") == {"proxy": "é"}


class Calls:
    """Stands in for `subprocess.call`: notes each command, looks at what is there meanwhile, and ends with a code."""

    def __init__(self) -> None:
        self.made: list[tuple[list[str], dict[str, str] | None]] = []
        self.codes: list[int] = []
        self.look: Any = lambda _command, _env: None

    def __call__(self, command: list[str], env: dict[str, str] | None = None) -> int:
        self.made.append((command, env))
        self.look(command, env)
        return self.codes.pop(0)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    monkeypatch.setattr(subprocess, "call", made)
    monkeypatch.setattr(install, "UV", UV)
    monkeypatch.setattr(cuda, "size", lambda path: 0 if path is sys.path else 1)
    return made


PIP = [sys.executable, "-m", "pip", "install", "--compile"]
RETRY = "uv could not install this: pip tries, which takes some packages that uv refuses."


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("model-dockerize: ") for line in lines)
    return [line.removeprefix("model-dockerize: ") for line in lines]


def test_uv_installs_with_a_place_of_its_own_for_its_lock(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    there: list[bool] = []
    calls.codes, calls.look = [0], lambda _command, env: there.append(Path(env["TMPDIR"]).is_dir())
    assert main(["six"], NOWHERE) == 0
    ((command, environment),) = calls.made
    assert command == [*FIRST, "six"]
    assert environment is not None
    scratch = environment.pop("TMPDIR")
    assert environment == {**NOWHERE, **OURS}
    assert there == [True]
    assert not Path(scratch).exists()
    assert said(capsys) == ["Installing by uv."]


@pytest.mark.parametrize(("codes", "code"), [([2, 0], 0), ([2, 3], 3)])
def test_pip_tries_after_uv(codes: list[int], code: int, calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    calls.codes = list(codes)
    assert main(["six"], NOWHERE) == code
    assert calls.made[1:] == [([*PIP, "six"], None)]
    assert said(capsys) == ["Installing by uv.", RETRY]


def test_without_pip_the_word_of_uv_is_the_last(
    calls: Calls, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sought: list[str] = []
    monkeypatch.setattr(install, "find_spec", sought.append)
    calls.codes = [2]
    assert main(["six"], NOWHERE) == 2
    assert (sought, said(capsys)) == (["pip"], ["Installing by uv."])


@pytest.mark.parametrize("code", [0, 1])
def test_pip_installs_what_uv_does_not_know(code: int, calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    calls.codes = [code]
    assert main(["six"], {**NOWHERE, "PIP_TARGET": "/x", "PIP_PREFIX": "/y"}) == code
    assert calls.made == [([*PIP, "six"], None)]
    assert said(capsys) == ["Installing by pip, because uv does not know prefix, target."]


CUDA = "CUDA takes 1 MB, which PyTorch brings. If the model runs without a GPU, save them: "
INDEX = "torch-index: https://download.pytorch.org/whl/cpu"


@pytest.mark.parametrize(("codes", "more"), [([0], {}), ([2, 0], {}), ([0], {"PIP_TARGET": "x"}), ([2, 2], {})])
def test_what_cuda_takes_is_said_once_after_a_success(
    codes: list[int],
    more: dict[str, str],
    calls: Calls,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cuda, "size", lambda _path: 1_999_999)
    calls.codes = list(codes)
    assert main(["six"], {**NOWHERE, **more}) == codes[-1]
    assert said(capsys).count(CUDA + INDEX) == (codes[-1] == 0)


def test_for_a_notebook_what_is_installed_keeps_its_version(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    class Distribution:
        def __init__(self, name: str | None, version: str) -> None:
            self.metadata, self.version = {"Name": name}, version

    listed = [("Zope_X", "2"), ("zope.x", "1"), (None, "3"), ("six", "4"), ("zope--x", "5")]
    modules = {"importlib.metadata": SimpleNamespace(distributions=lambda: [Distribution(*one) for one in listed])}
    held: list[Any] = []
    monkeypatch.setattr(install, "import_module", modules.__getitem__)
    calls.look = lambda command, _env: held.append((command, Path(command[-2]).read_text(encoding="utf-8")))
    calls.codes = [0]
    assert main(["--keep-installed", "papermill"], NOWHERE) == 0
    ((command, text),) = held
    path = command[-2]
    assert command == [*FIRST, "--constraint", path, "papermill"]
    assert path.endswith(".txt")
    assert text == "Zope_X==2\nsix==4\n"
    assert not Path(path).exists()


def test_a_notebook_needs_python_3_8(
    calls: Calls, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 7, 99))
    assert main(["--keep-installed", "papermill"], NOWHERE) == 1
    assert (calls.made, said(capsys)) == ([], ["A notebook needs Python 3.8 or newer."])


@pytest.mark.parametrize("code", [0, 5])
def test_py_rattler_is_had_for_the_time_of_its_script(code: int, calls: Calls) -> None:
    there: list[bool] = []
    calls.codes = [0, code]
    calls.look = lambda command, env: there.append(
        Path(env["PYTHONPATH"] if "PYTHONPATH" in env else command[command.index("--target") + 1]).is_dir()
    )
    assert main(["--conda", "--channel", "c", "numpy"], {**NOWHERE, "A": "b"}) == code
    (fetched, _), (command, environment) = calls.made
    assert environment is not None
    tools = environment["PYTHONPATH"]
    folder = Path(install.__file__).parents[1]
    assert fetched == [*FIRST, "--target", tools, "--requirement", str(folder / "rattler.txt")]
    script = str(folder / "model_installer/conda.py")
    assert command == [sys.executable, script, "--channel", "c", "numpy"]
    assert environment == {**NOWHERE, "A": "b", "PYTHONPATH": tools}
    assert there == [True, True]
    assert not Path(tools).exists()


def test_that_py_rattler_cannot_be_had_is_said(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    calls.codes = [2, 4]
    assert main(["--conda", "numpy"], NOWHERE) == 4
    assert said(capsys)[-1] == (
        "py-rattler, which installs packages of conda, could not be had: it needs Python 3.10 and an index."
    )
    assert len(calls.made) == 2


def test_the_tools_lie_beside_the_installer() -> None:
    assert Path(install.__file__).parents[1] / "uv" == Path(install.UV)


@pytest.mark.parametrize(
    ("packages", "size"),
    [
        ({}, 0),
        ({"torch-2": "a,,900\n"}, 0),
        ({"torch-2": "", "nvidia_x-1": "a,,5\nb,,x\nc\nd,e\nf,,\n"}, 5),
        ({"Torch-2": "", "NVIDIA_X-1": "a,,5\n", "triton-1": '"a\n,b",,6,more\n', "tritonx-1": "a,,9\n"}, 11),
        ({"torchvision-2": "", "nvidia_x-1": "a,,5\n"}, 0),
        ({"torch-2": "", "nvidia-x": "a,,5\n"}, 0),
    ],
)
def test_what_pytorch_needs_for_gpus_only_is_measured(packages: dict[str, str], size: int, tmp_path: Path) -> None:
    for name, record in packages.items():
        package(tmp_path, name, record)
    (tmp_path / "nvidia_y-1.dist-info").mkdir()  # without a RECORD
    (tmp_path / "nvidia_z.py").touch()
    assert cuda.size([str(tmp_path), "/dev/null/nowhere", str(tmp_path / "nvidia_z.py"), str(tmp_path)]) == size
