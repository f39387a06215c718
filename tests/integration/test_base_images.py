"""Base images are as docker-library/python describes them: the real ones where they were pulled, else the stand-ins."""

import json
import re
from pathlib import Path

import pytest

from tests.rig.docker_command import docker

BASES = ["python:3.13-slim-trixie", "python:3.11-slim-bookworm"]
PROBE = """
import json, pathlib, sys, sysconfig
programs = pathlib.Path("/usr/local/bin")
names = ["BINDIR", "INCLUDEPY", "LDLIBRARY", "LIBDEST", "LIBDIR", "Py_ENABLE_SHARED", "exec_prefix", "prefix"]
print(json.dumps({
    "version": sysconfig.get_python_version(),
    "prefixes": [sys.prefix, sys.exec_prefix, sys.executable],
    "path": sys.path,
    "paths": sysconfig.get_paths(),
    "variables": {name: sysconfig.get_config_var(name) for name in names},
    "links": {path.name: path.readlink().name for path in programs.iterdir() if path.is_symlink()},
    "debian": [str(path) for top in ("usr/bin", "usr/lib", "etc") for path in pathlib.Path("/", top).glob("*python*")],
    "release": pathlib.Path("/etc/os-release").read_text(),
    "sources": sorted(path.name for path in pathlib.Path("/etc/apt").glob("sources.list*/*")),
    "managed": list(map(str, pathlib.Path("/usr/local/lib").rglob("EXTERNALLY-MANAGED"))),
}))
import bz2, ctypes, curses, dbm.ndbm, decimal, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib, zoneinfo
assert zoneinfo.ZoneInfo("Europe/Berlin") and ssl.create_default_context().cert_store_stats()["x509"] > 50
"""
EXTENSION = """
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "built", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_built(void) { return PyModule_Create(&definition); }
"""
BUILD = """\
FROM {base}
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends gcc libc6-dev
COPY built.c .
RUN python -m venv --system-site-packages /env && /env/bin/pip --version \\
    && gcc -shared -fPIC $(python3-config --includes) built.c -o /env/lib/built$(python3-config --extension-suffix) \\
    && PYTHONPATH=/env/lib /env/bin/python -c 'import built'
"""


@pytest.mark.parametrize("base", BASES)
def test_python_is_where_docker_hub_has_it(base: str) -> None:
    version, release = re.fullmatch(r"python:(3\.\d+)-slim-(\w+)", base).groups()  # type: ignore[union-attr]
    found = json.loads(docker("run", "--rm", "--interactive", base, "python", "-", stdin=PROBE))
    library = f"/usr/local/lib/python{version}"
    assert found["version"] == version
    assert f"VERSION_CODENAME={release}" in found["release"]
    assert found["prefixes"] == ["/usr/local", "/usr/local", "/usr/local/bin/python"]
    archive = f"/usr/local/lib/python{version.replace('.', '')}.zip"
    assert found["path"] == ["", archive, library, f"{library}/lib-dynload", f"{library}/site-packages"]
    assert found["paths"] == {
        "data": "/usr/local",
        "include": f"/usr/local/include/python{version}",
        "platinclude": f"/usr/local/include/python{version}",
        "platlib": f"{library}/site-packages",
        "platstdlib": library,
        "purelib": f"{library}/site-packages",
        "scripts": "/usr/local/bin",
        "stdlib": library,
    }
    assert found["variables"] == {
        "BINDIR": "/usr/local/bin",
        "INCLUDEPY": f"/usr/local/include/python{version}",
        "LDLIBRARY": f"libpython{version}.so",
        "LIBDEST": library,
        "LIBDIR": "/usr/local/lib",
        "Py_ENABLE_SHARED": 1,
        "exec_prefix": "/usr/local",
        "prefix": "/usr/local",
    }
    assert (
        found["links"].items()
        >= {
            "idle": "idle3",
            "pip": "pip3",
            "pydoc": "pydoc3",
            "python": "python3",
            "python-config": "python3-config",
            "python3": f"python{version}",
        }.items()
    )
    assert (found["debian"], found["managed"], found["sources"]) == ([], [], ["debian.sources"])
    assert f"libpython{version}.so.1.0" in docker("run", "--rm", base, "ldconfig", "-p")


@pytest.mark.parametrize("base", BASES)
def test_its_configuration_is_docker_hubs(base: str) -> None:
    config = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", base))
    variables = dict(variable.split("=", 1) for variable in config["Env"])
    assert config["Cmd"] == ["python3"]
    assert not config.get("Entrypoint")
    assert variables["PATH"] == "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert variables.get("LANG") == ("C.UTF-8" if "3.11" in base else None)
    assert re.fullmatch("[0-9A-F]{40}", variables["GPG_KEY"])
    assert docker("run", "--rm", base, "python", "-V").strip() == f"Python {variables['PYTHON_VERSION']}"


@pytest.mark.parametrize("base", BASES)
def test_it_makes_environments_and_builds_extensions(base: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(BUILD.format(base=base), encoding="utf-8")
    (tmp_path / "built.c").write_text(EXTENSION, encoding="utf-8")
    docker("buildx", "build", "--quiet", "--output=type=cacheonly", str(tmp_path))
