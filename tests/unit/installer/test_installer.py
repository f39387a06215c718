"""What the installer makes of pip's settings and requirements, and when it leaves the work to pip."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from model_installer import cuda, install, pip_settings, requirements
from model_installer.install import Plan, main, plan
from model_installer.translate import translate

LIB = Path(__file__).resolve().parents[3] / "lib"
NOWHERE = {"XDG_CONFIG_DIRS": "/dev/null/nowhere", "XDG_CONFIG_HOME": "/dev/null/nowhere", "HOME": "/dev/null/nowhere"}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pip_settings, "_OF_ALL_USERS", "/dev/null/nowhere")


def settings(text: str, tmp_path: Path, more: Mapping[str, str] = NOWHERE) -> dict[str, str]:
    (tmp_path / "pip.conf").write_text(text)
    return pip_settings.read({**more, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}, "/dev/null/nowhere")


def planned(*arguments: str, version: tuple[int, int] = (3, 13), **environment: str) -> Plan:
    return plan(arguments, {**NOWHERE, **environment}, version, "/bin/true")


def test_settings_are_put_together_as_pip_does(tmp_path: Path) -> None:
    (tmp_path / "prefix").mkdir()
    (tmp_path / "prefix/pip.conf").write_text("[install]\nno-index = yes\n[global]\ntimeout = 7\nretries = 1\n")
    (tmp_path / "pip.conf").write_text("[global]\nno-index = no\nTIMEOUT = 8\n[download]\nproxy = x\n")
    environment = {**NOWHERE, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_RETRIES": "9", "PIP_VERSION": "1"}
    found = pip_settings.read(environment, str(tmp_path / "prefix"))
    assert found == {"no-index": "yes", "timeout": "8", "retries": "9"}
    assert pip_settings.read({**environment, "PIP_CONFIG_FILE": os.devnull}, str(tmp_path / "prefix")) == {
        "retries": "9"
    }


def test_the_settings_are_pips_own_answer(tmp_path: Path) -> None:
    text = (
        "[global]\nindex-url = https://a:b@i.example/simple\nfind-links =\n    /one\n    /two\n[install]\npre = true\n"
    )
    found = settings(text, tmp_path)
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={
            "HOME": "/dev/null/nowhere",
            "XDG_CONFIG_DIRS": "/dev/null/nowhere",
            "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = dict(line.partition(".")[2].split("=", 1) for line in said.splitlines())
    assert found.keys() == {"index-url", "find-links", "pre"}
    assert {name: lines[name] for name in found} == {name: repr(value) for name, value in found.items()}


def test_everything_that_uv_has_is_said_to_it(tmp_path: Path) -> None:
    found = settings(
        "[global]\nindex-url = https://u:p@i.example/simple\nextra-index-url = https://j.example/s\n  https://k.example/s\n"
        "trusted-host = i.example j.example:8080\nfind-links = /wheels\nno-index = true\ncert = /ca.pem\n"
        "client-cert = /me.pem\nproxy = http://proxy:3128\ntimeout = 60\nretries = 2\npre = 1\nno-binary = :all:\n"
        "only-binary = a,b\nrequire-hashes = off\nconstraint = c.txt\nno-cache-dir = true\nprogress-bar = off\n",
        tmp_path,
    )
    told = translate(found, own_index=False)
    assert told.lacking == []
    words = " ".join(told.arguments)
    for part in (
        "--default-index https://u:p@i.example/simple",
        "--extra-index-url https://j.example/s --extra-index-url https://k.example/s",
        "--allow-insecure-host i.example --allow-insecure-host j.example:8080",
        "--find-links /wheels",
        "--no-index",
        "--pre",
        "--no-binary :all:",
        "--only-binary a --only-binary b",
        "--constraints c.txt --build-constraints c.txt",
    ):
        assert part in words
    assert "--require-hashes" not in words
    assert told.environment == {
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://proxy:3128"),
        "SSL_CERT_FILE": "/ca.pem",
        "SSL_CLIENT_CERT": "/me.pem",
        "UV_HTTP_TIMEOUT": "60",
        "UV_HTTP_RETRIES": "2",
    }


@pytest.mark.parametrize("option", ["target", "prefer-binary", "no-build-isolation", "use-feature", "config-settings"])
def test_what_uv_lacks_is_pips(option: str, tmp_path: Path) -> None:
    assert translate(settings(f"[install]\n{option} = x\n", tmp_path), own_index=False).lacking == [option]


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("--prefer-binary\nsix\n", ["--prefer-binary"]),
        ("six --config-settings=a=b\n", ["--config-settings"]),
        ("a @ hg+https://x/y\n", ["repositories of other kinds than git"]),
        ("six\n", []),
        ("--index-url https://x/\n-e .\n-f wheels\nsix==1 \\\n  --hash=sha256:1\n# --target=x\n", []),
    ],
)
def test_requirements_are_looked_through(text: str, lacking: list[str], tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/base.txt").write_text(text)
    (tmp_path / "r.txt").write_text("-r more/base.txt\n--requirement=more/../r.txt\n-cmissing.txt\n")
    assert requirements.look(["-r", str(tmp_path / "r.txt")]).lacking == lacking


@pytest.mark.parametrize("content", [b"# gr\xf6\xdfe\nsix\n", "six\n".encode("utf-16"), "six\n".encode("utf-16-le")])
def test_other_encodings_are_pips(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes(content)
    assert planned("-r", "r.txt").obstacles == ["--an-encoding-other-than-utf-8"]


def test_options_of_the_file_that_uv_wants_on_its_command_line(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("--pre\n--trusted-host x.example\n-i https://y/\nsix==1 --hash=sha256:1\n")
    found = planned("-r", "r.txt", PIP_INDEX_URL="https://z/", PIP_PRE="1")
    assert found.obstacles == []
    assert found.command.count("--pre") == 1
    assert "--default-index" not in found.command  # pip: the file counts more; uv: the command line
    assert "--require-hashes" in found.command
    place = found.command.index("--allow-insecure-host")
    assert found.command[place + 1] == "x.example"


def test_what_a_base_image_tells_uv_does_not_count() -> None:
    found = planned("six", UV_INDEX_URL="https://other/", UV_LINK_MODE="hardlink")
    assert "UV_INDEX_URL" not in found.environment
    assert found.environment["UV_LINK_MODE"] == "copy"
    assert found.command[-1] == "six"


@pytest.mark.parametrize(
    ("version", "uv", "obstacle"),
    [((3, 7), "/bin/true", "Python 3.7"), ((3, 13), "/dev/null/nowhere", "this processor")],
)
def test_where_uv_does_not_run_pip_does(version: tuple[int, int], uv: str, obstacle: str) -> None:
    assert plan(["six"], NOWHERE, version, uv).obstacles == [obstacle]


def test_a_broken_configuration_is_pips_to_explain(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("index-url = without a section\n")
    found = planned("six", PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    assert found.obstacles == ["pip's configuration (MissingSectionHeaderError)"]


@pytest.mark.parametrize(("code", "said"), [(0, "Installing by uv."), (1, "uv could not install this: pip tries")])
def test_pip_tries_what_uv_could_not(code: int, said: str, tmp_path: Path) -> None:
    folder = tmp_path / "installer"
    folder.mkdir()
    (folder / "model_installer").symlink_to(LIB / "model_installer")
    (folder / "uv").write_text(f'#!/bin/sh\n[ -d "$TMPDIR" ] && touch "$TMPDIR/lock"\nexit {code}\n')
    (folder / "uv").chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(folder / "model_installer"), "--no-index", "nothing-of-this-name"],
        env={"PATH": os.defpath, **NOWHERE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stdout
    assert done.returncode == code
    assert ("No matching distribution found for nothing-of-this-name" in done.stderr) == bool(code)


def package(folder: Path, name: str, record: str) -> None:
    (folder / f"{name}.dist-info").mkdir(parents=True)
    (folder / f"{name}.dist-info/RECORD").write_text(record)


def test_what_cuda_costs_is_measured(tmp_path: Path) -> None:
    package(
        tmp_path / "a", "nvidia_cublas_cu12-12.8", 'x.so,sha256=1,4000000000\n"y,z.so",sha256=2,20000000\nRECORD,,\n'
    )
    package(tmp_path / "a", "triton-3.5", "t.so,sha256=1,1000000\n")
    package(tmp_path / "a", "numpy-2.0", "n.so,sha256=1,7\n")
    assert cuda.size([str(tmp_path / "a"), "/dev/null/nowhere", ""]) == 0
    package(tmp_path / "b", "torch-2.9.0", "torch.so,sha256=1,900\n")
    assert cuda.size([str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "a")]) == 4_021_000_000


def test_pips_exit_code_is_the_installers(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert main(["--prefer-binary", "nothing-of-this-name"], {**os.environ, "PIP_PREFER_BINARY": "1"}) == 1
    assert "Installing by pip, because" in capfd.readouterr().out


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in for uv: note the arguments, and keep the file of constraints."""
    uv, said = tmp_path / "uv", tmp_path / "said"
    script = 'echo "$@" > SAID/arguments; for word in "$@"; do case $word in *.txt) cp "$word" SAID/ ;; esac; done\n'
    uv.write_text("#!/bin/sh\n" + script.replace("SAID", str(said)))
    uv.chmod(0o755)
    said.mkdir()
    monkeypatch.setattr(install, "UV", str(uv))
    return said


def test_what_is_installed_keeps_its_version(spy: Path) -> None:
    assert main(["--keep-installed", "papermill>=2.4"], NOWHERE) == 0
    assert (spy / "arguments").read_text().endswith(".txt papermill>=2.4\n")
    (constraints,) = spy.glob("*.txt")
    assert f"pytest=={pytest.__version__}" in constraints.read_text().split()


def test_of_two_packages_of_a_name_the_one_that_is_imported_keeps_its_version(
    spy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for place, name, version in (("first", "zope.x", "2"), ("second", "Zope_X", "1")):
        folder = tmp_path / place / f"zope_x-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), *sys.path])
    assert main(["--keep-installed", "papermill"], NOWHERE) == 0
    (constraints,) = spy.glob("*.txt")
    assert [line for line in constraints.read_text().splitlines() if "ope" in line and "x=" in line] == ["zope.x==2"]


def test_a_notebook_needs_a_python_that_lists_its_packages(
    spy: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "OLDEST_PYTHON", (9, 0))
    assert main(["--keep-installed", "papermill"], NOWHERE) == 1
    assert "A notebook needs Python 3.8" in capfd.readouterr().out
    assert not list(spy.iterdir())


def test_py_rattler_is_there_for_the_step_only(
    spy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pins = tmp_path / "rattler.txt"
    pins.write_text(f"py-rattler==0.1 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(install, "_RATTLER", str(pins))
    assert main(["--conda", "--channel", "c", "numpy"], NOWHERE) == 1  # what it fetched is nothing
    words = (spy / "arguments").read_text().split()
    assert words[-2:] == ["--requirement", str(pins)]
    assert "--require-hashes" in words
    tools = Path(words[words.index("--target") + 1])
    assert not tools.exists()
    assert "No module named 'rattler'" in capfd.readouterr().err


def test_it_is_said_if_py_rattler_cannot_be_had(
    spy: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "UV", str(spy / "none"))
    monkeypatch.setattr(install, "_RATTLER", str(spy / "none.txt"))
    assert main(["--conda", "numpy"], {**os.environ, **NOWHERE}) == 1
    assert "py-rattler, which installs packages of conda, could not be had" in capfd.readouterr().out
