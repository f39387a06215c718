"""The installer hands pip's settings and requirements to uv, and leaves the work to pip where uv lacks something."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from model_installer import cuda, pip_settings, requirements
from model_installer.install import Plan, plan
from model_installer.translate import translate

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
