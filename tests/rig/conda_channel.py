"""A channel of conda with a few small packages, made here: no real one is needed.

Its `python` is a virtual environment of the base image's own Python, at the place where conda's would be; so what is
installed beside it is found there and nowhere else.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import yaml

PYTHON = "3.13.5"
_HOME = "/usr/local/bin"  # of Python in the base image
_SUBDIRS = ("linux-64", "linux-aarch64", "noarch")


def make(folder: Path) -> Path:
    """Write the channel: Python, `six` in three versions, and `rows`, which needs the second of them."""
    found: dict[str, dict[str, object]] = {name: {} for name in _SUBDIRS}
    for subdir in _SUBDIRS[:2]:
        _write(folder, found, subdir, "python", PYTHON, [], _python())
    for version in ("1.14.0", "1.15.0", "1.16.0"):
        _write(folder, found, "noarch", "six", version, ["python"], _module("six", version))
    _write(folder, found, "noarch", "rows", "2.0", ["python >=3.13", "six 1.15.*"], _module("rows", "2.0"))
    for subdir, packages in found.items():
        content = {"info": {"subdir": subdir}, "packages": packages, "packages.conda": {}, "repodata_version": 1}
        (folder / subdir / "repodata.json").write_text(json.dumps(content))
    return folder


def pixi_lock(url: str, folder: Path, packages: dict[str, str], wheels: list[dict[str, str]]) -> str:
    """Write a lock of pixi, version 6: packages of the channel in `folder`, and wheels (pypi, name, version, sha256).

    It need not be what a solver would choose.
    """
    by_platform: dict[str, list[dict[str, str]]] = {}
    listed: dict[str, dict[str, object]] = {}
    for platform in _SUBDIRS[:2]:
        for subdir in (platform, "noarch"):
            for file, record in json.loads((folder / subdir / "repodata.json").read_text())["packages"].items():
                if packages.get(record["name"]) == record["version"]:
                    place = f"{url}/{subdir}/{file}"
                    by_platform.setdefault(platform, []).append({"conda": place})
                    kept = {key: record[key] for key in ("sha256", "md5", "size", "depends", "noarch") if key in record}
                    listed[place] = {"conda": place, **kept}
        by_platform[platform] += [{"pypi": wheel["pypi"]} for wheel in wheels]
    default = {"channels": [{"url": f"{url}/"}], "indexes": ["https://index.example/simple"], "packages": by_platform}
    lock = {"version": 6, "environments": {"default": default}, "packages": [*listed.values(), *wheels]}
    return yaml.safe_dump(lock, sort_keys=False)


def url_of(channel: str, subdir: str, name: str, version: str) -> str:
    """Name where a package lies."""
    return f"{channel}/{subdir}/{name}-{version}-0.tar.bz2"


def _python() -> dict[str, bytes | str]:
    short = ".".join(PYTHON.split(".")[:2])
    links = {f"bin/{name}": f"{_HOME}/python3" for name in ("python", "python3", f"python{short}")}
    return {**links, "pyvenv.cfg": f"home = {_HOME}\nversion = {PYTHON}\n".encode()}


def _module(name: str, version: str) -> dict[str, bytes | str]:
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return {
        f"site-packages/{name}.py": f"__version__ = '{version}'\n".encode(),
        f"site-packages/{name}-{version}.dist-info/METADATA": metadata.encode(),
    }


def _write(
    folder: Path,
    found: dict[str, dict[str, object]],
    subdir: str,
    name: str,
    version: str,
    depends: list[str],
    files: dict[str, bytes | str],
) -> None:
    """Write one package. A file is its content, or the target of a symbolic link."""
    index: dict[str, object] = {
        "name": name, "version": version, "build": "0", "build_number": 0, "depends": depends, "subdir": subdir,
        **({"noarch": "python"} if subdir == "noarch" else {}),
    }  # fmt: skip
    paths = [
        {"_path": path, "path_type": "softlink" if isinstance(content, str) else "hardlink"}
        | ({} if isinstance(content, str) else {"sha256": _sha256(content), "size_in_bytes": len(content)})
        for path, content in files.items()
    ]
    info = {"info/index.json": index, "info/paths.json": {"paths": paths, "paths_version": 1}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:bz2") as tar:
        for path, content in {**{path: json.dumps(value).encode() for path, value in info.items()}, **files}.items():
            header = tarfile.TarInfo(path)
            if isinstance(content, str):
                header.type, header.linkname = tarfile.SYMTYPE, content
                tar.addfile(header)
            else:
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    file = Path(url_of(str(folder), subdir, name, version))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(packed.getvalue())
    size = {"sha256": _sha256(packed.getvalue()), "md5": _md5(packed.getvalue()), "size": len(packed.getvalue())}
    found[subdir][file.name] = {**index, **size}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
