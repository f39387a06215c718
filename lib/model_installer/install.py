"""Chooses the installing tool, and runs it."""

import configparser
import os
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Set

from model_installer import cuda, pip_settings, requirements, translate

#: Beside this package, where the build mounts both.
UV = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "uv")
OLDEST_PYTHON = (3, 8)
KEEP_INSTALLED, CONDA = "--keep-installed", "--conda"
_RATTLER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "rattler.txt")
_CACHE = "/root/.cache/uv"


class Plan(NamedTuple):
    """A call of uv; `obstacles`: why uv cannot do what pip would."""

    command: List[str]
    environment: Dict[str, str]
    obstacles: List[str]


def plan(arguments: Sequence[str], environment: Mapping[str, str], version: Sequence[int], uv: str) -> Plan:
    """Return the call of uv for `pip install ARGUMENTS`.

    Args:
        version: of the Python that gets the packages.
    """
    if tuple(version) < OLDEST_PYTHON:
        return Plan([], {}, ["Python {}.{}".format(*version)])
    if not os.access(uv, os.X_OK):
        return Plan([], {}, ["this processor"])
    try:
        settings = pip_settings.read(environment, sys.prefix)
    except (configparser.Error, UnicodeDecodeError) as error:
        return Plan([], {}, ["pip's configuration ({})".format(type(error).__name__)])
    found = requirements.look(arguments)
    told = translate.translate(settings, found.own_index)
    ours = {
        "UV_CACHE_DIR": _CACHE,
        "UV_LINK_MODE": "copy",  # the cache is another file system, and goes away
        "UV_NO_CONFIG": "1",  # as pip, which reads no settings of uv's
        "UV_NO_PROGRESS": "1",
        "UV_NO_SOURCES": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    kept = {name: value for name, value in environment.items() if not name.startswith("UV_")}
    command = [uv, "pip", "install", "--python", sys.executable, "--break-system-packages", "--compile-bytecode"]
    # As pip: the best version of all indexes, not of the first that has the package.
    command += ["--index-strategy", "unsafe-best-match"]
    words = [*told.arguments, *found.arguments, *arguments]
    once = translate.FLAGS.values()
    command += [word for place, word in enumerate(words) if word not in once or word not in words[:place]]
    return Plan(command, dict(kept, **ours, **told.environment), [*told.lacking, *found.lacking])


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Install like `pip install ARGUMENTS`; return the tool's exit code.

    First may come `--keep-installed`, or `--conda` with `conda.py`'s arguments.
    """
    if arguments[:1] == [CONDA]:
        return _conda(arguments[1:], environment)
    if arguments[:1] == [KEEP_INSTALLED]:
        if sys.version_info[:2] < OLDEST_PYTHON:
            _say("A notebook needs Python 3.8 or newer.")
            return 1
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as held:
            held.writelines(_installed())
            held.flush()
            return main(["--constraint", held.name, *arguments[1:]], environment)
    chosen = plan(arguments, environment, sys.version_info[:2], UV)
    if not chosen.obstacles:
        _say("Installing by uv.")
        with tempfile.TemporaryDirectory() as scratch:  # uv leaves a lock there
            code = subprocess.call(chosen.command, env=dict(chosen.environment, TMPDIR=scratch))
        if code == 0:
            _suggest()
        if code == 0 or find_spec("pip") is None:
            return code
        _say("uv could not install this: pip tries, which takes some packages that uv refuses.")
    else:
        _say("Installing by pip, because uv does not know {}.".format(", ".join(dict.fromkeys(chosen.obstacles))))
    code = subprocess.call([sys.executable, "-m", "pip", "install", "--compile", *arguments])
    if code == 0:
        _suggest()
    return code


def _conda(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    with tempfile.TemporaryDirectory() as tools:
        code = main(["--target", tools, "--requirement", _RATTLER], environment)
        if code:
            _say("py-rattler, which installs packages of conda, could not be had: it needs Python 3.10 and an index.")
            return code
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "conda.py")
        return subprocess.call([sys.executable, script, *arguments], env=dict(environment, PYTHONPATH=tools))


def _installed() -> Iterator[str]:
    # Of two packages with a name, the first is imported.
    seen = set()  # type: Set[str]
    for found in import_module("importlib.metadata").distributions():
        name = re.sub("[-_.]+", "-", found.metadata["Name"] or "").lower()
        if name and name not in seen:  # no name: what an uninstallation left behind
            seen.add(name)
            yield "{}=={}\n".format(found.metadata["Name"], found.version)


def _suggest() -> None:
    found = cuda.size(sys.path)
    if found:
        _say(
            "CUDA takes {} MB, which PyTorch brings. If the model runs without a GPU, save them: "
            "torch-index: https://download.pytorch.org/whl/cpu".format(found // 10**6)
        )


def _say(text: str) -> None:
    print("model-dockerize: " + text, flush=True)
