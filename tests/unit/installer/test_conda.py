"""Packages are asked of py-rattler as they are given or locked, and its answer is told."""

import importlib
import runpy
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def record(name: str, version: str = "1", build: str = "b0") -> SimpleNamespace:
    return SimpleNamespace(name=SimpleNamespace(normalized=name), version=version, build=build)


class Rattler:
    """As py-rattler: it notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.platforms: Any = {"linux-64": [record("numpy"), record("blas")]}
        self.failure: Exception | None = None

    async def solve(self, channels: Any, specs: Any, **how: Any) -> Any:
        self.asked.append(("solve", channels, specs, how))
        if self.failure is not None:
            raise self.failure
        return iter([record("numpy", "2.1", "py_0"), record("blas")])

    async def install(self, records: Any, prefix: str, **how: Any) -> None:
        names = [one.name.normalized for one in records]
        self.asked.append(("install", names, prefix, how))

    def locked(self, path: str) -> Any:
        def environment(name: str) -> Any:
            self.asked.append(("lock", path, name))
            if self.platforms is None:
                return None
            platforms = [SimpleNamespace(subdir=name) for name in self.platforms]
            return SimpleNamespace(
                platforms=lambda: platforms,
                conda_repodata_records_for_platform=lambda platform: self.platforms[platform.subdir],
            )

        return SimpleNamespace(environment=environment)


@pytest.fixture
def rattler(monkeypatch: pytest.MonkeyPatch) -> Rattler:
    made = Rattler()
    module: Any = ModuleType("rattler")
    module.solve, module.install = made.solve, made.install
    module.Channel = lambda name: f"channel {name}"
    module.MatchSpec = lambda spec: f"spec {spec}"
    module.Gateway = lambda **how: ("gateway", how)
    module.VirtualPackage = SimpleNamespace(detect=lambda: "virtual")
    module.Subdir = SimpleNamespace(current=lambda: "linux-64")
    module.LockFile = SimpleNamespace(from_path=made.locked)
    module.networking = SimpleNamespace(Client=SimpleNamespace(default_client=lambda: "client"))
    monkeypatch.setitem(sys.modules, "rattler", module)
    monkeypatch.delitem(sys.modules, "model_installer.conda", raising=False)
    return made


#: HOME of whoever builds, in the image.
HOME = "/root"
HOW = {"cache_dir": f"{HOME}/.cache/rattler", "execute_link_scripts": True, "show_progress": False, "client": "client"}
DEFAULTS = ["channel https://repo.anaconda.com/pkgs/main", "channel https://repo.anaconda.com/pkgs/r"]


def main(*arguments: str) -> int:
    return int(importlib.import_module("model_installer.conda").main(arguments))


def test_packages_are_solved_told_and_installed(rattler: Rattler, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("--channel", "conda-forge", "--channel", "defaults", "numpy", "blas>1") == 0
    gateway = ("gateway", {"cache_dir": f"{HOME}/.cache/rattler", "client": "client"})
    assert rattler.asked == [
        ("solve", ["channel conda-forge", *DEFAULTS], ["spec numpy", "spec blas>1"],
         {"gateway": gateway, "virtual_packages": "virtual"}),
        ("install", ["numpy", "blas"], "/opt/environment", HOW),
    ]  # fmt: skip
    assert capsys.readouterr().out == "model-dockerize: 2 packages of conda:\n  blas 1 b0\n  numpy 2.1 py_0\n"


def test_without_a_channel_none_is_asked(rattler: Rattler) -> None:
    assert main("numpy") == 0
    assert rattler.asked[0][1:3] == ([], ["spec numpy"])


def test_a_lock_is_installed_as_it_is(rattler: Rattler, capsys: pytest.CaptureFixture[str]) -> None:
    rattler.platforms = {"osx-64": [record("other")], **rattler.platforms}
    assert main("--lock", "conda.lock", "--channel", "c") == 0
    assert rattler.asked == [("lock", "conda.lock", "default"), ("install", ["numpy", "blas"], "/opt/environment", HOW)]
    assert capsys.readouterr().out == "model-dockerize: 2 packages of conda:\n  blas 1 b0\n  numpy 1 b0\n"


def test_a_lock_may_hold_no_package(rattler: Rattler) -> None:
    rattler.platforms = {"linux-64": None}
    assert main("--lock", "conda.lock") == 0
    assert rattler.asked[1][:2] == ("install", [])


@pytest.mark.parametrize("platforms", [None, {}, {"osx-64": []}])
def test_a_lock_of_other_platforms_is_told(
    platforms: Any, rattler: Rattler, capsys: pytest.CaptureFixture[str]
) -> None:
    rattler.platforms = platforms
    assert main("--lock", "conda.lock") == 1
    told = "conda.lock is not locked for linux-64: add it to its platforms, and lock again."
    assert capsys.readouterr() == ("", f"model-dockerize: conda: {told}\n")
    assert len(rattler.asked) == 1


def test_what_rattler_says_is_told(rattler: Rattler, capsys: pytest.CaptureFixture[str]) -> None:
    rattler.failure = RuntimeError("cannot solve")
    assert main("numpy") == 1
    assert capsys.readouterr() == ("", "model-dockerize: conda: cannot solve\n")


def test_an_option_is_not_shortened(rattler: Rattler) -> None:
    with pytest.raises(SystemExit):
        main("--chan", "c")


@pytest.mark.parametrize("fails", [False, True])
def test_as_a_script_it_ends_at_once_with_its_code(
    fails: bool, rattler: Rattler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(code: int) -> None:
        raise SystemExit(code)

    if fails:
        rattler.failure = RuntimeError("cannot solve")
    monkeypatch.setattr(sys, "argv", ["conda.py", "numpy"])
    monkeypatch.setattr("os._exit", ended)
    with pytest.raises(SystemExit) as raised:
        runpy.run_module("model_installer.conda", run_name="__main__")
    assert raised.value.code == fails
    assert rattler.asked[0][2] == ["spec numpy"]


def test_as_a_folder_it_installs_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from model_installer import install

    given: list[Any] = []
    monkeypatch.setattr(install, "main", lambda *what: given.append(what) or 3)
    monkeypatch.setattr(sys, "argv", ["model_installer", "six"])
    monkeypatch.setenv("A", "b")
    with pytest.raises(SystemExit) as raised:
        runpy.run_module("model_installer", run_name="__main__")
    assert raised.value.code == 3
    ((arguments, environment),) = given
    assert (arguments, environment["A"]) == (["six"], "b")
