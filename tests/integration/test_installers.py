"""uv and pip install the same: the same folders, the same versions, and of uv nothing stays in the image."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_dockerize import image
from model_dockerize.program import inspect, render_dockerfile
from model_dockerize.program.types import REQUIREMENTS
from model_dockerize.progress import Silent
from model_dockerize.settings import ImageSettings, ProgramSettings, SmokeSettings
from tests.rig import projects
from tests.rig.docker_command import docker
from tests.rig.waiting import BUSY_SECONDS

from .conftest import ROOT

LIST = "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
# An index that asks for a user and a password, as a private one does.
INDEX = """
import base64, http.server, zipfile
WANTED = "Basic " + base64.b64encode(b"build:PASSWORD").decode()
with zipfile.ZipFile("rows-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("rows.py", "")
    wheel.writestr("rows-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: rows\\nVersion: 1.0\\n")
    wheel.writestr("rows-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("rows-1.0.dist-info/RECORD", "rows.py,,\\n")
PAGES = {"/simple/rows/": b'<a href="/rows-1.0-py3-none-any.whl">rows-1.0-py3-none-any.whl</a>'}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get("Authorization") == WANTED
        wheel = open("rows-1.0-py3-none-any.whl", "rb").read() if self.path.endswith(".whl") else b""
        body = (PAGES.get(self.path) or wheel) if known else b""
        self.send_response((200 if body else 404) if known else 401)
        self.send_header("Content-Type", "text/html" if not wheel else "application/zip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_HEAD = do_GET
    def log_message(self, *ignored): pass
server = http.server.HTTPServer(("127.0.0.1", 8000), Handler)
print("listening", flush=True)
server.serve_forever()
"""
SIX = "six==1.16.0 --hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254\n"
PROJECT = '[project]\nname = "rows"\nversion = "0.1"\ndependencies = ["click"]\n'
#: As people's folders are: each has a main.py besides.
FOLDERS = {
    "hashes and continuations": {
        "requirements.txt": "-c c.txt\n" + SIX.replace(" --", " \\\n    --"),
        "c.txt": "six<2\n",
    },
    "an include over two lines": {"requirements.txt": "-r \\\n  base.txt\n", "base.txt": "idna\n"},
    "includes in folders": {
        "requirements.txt": "-r req/base.txt  # x\n-r req/base.txt\n",
        "req/base.txt": "six\n-r ../more.txt\n",
        "more.txt": "idna\n",
    },
    "extras of the folder": {
        "requirements.txt": ".[cpu]\n",
        "pyproject.toml": PROJECT
        + '[project.optional-dependencies]\ncpu = ["idna"]\n[tool.setuptools]\npy-modules = []\n',
    },
    "a src layout": {"requirements.txt": ".\n", "pyproject.toml": PROJECT, "src/rows/__init__.py": ""},
    "a package in place": {"requirements.txt": "-e .\nsix\n", "pyproject.toml": PROJECT, "src/rows/__init__.py": ""},
    "what is not locked": {"requirements.txt": "fire\nFaker\npython-dotenv\nPyYAML>=6\nrequests[socks]\n"},
    "ranges and markers": {"requirements.txt": 'urllib3>=1.26,<2\nidna~=3.4\ntomli; python_version < "3.11"\n'},
    "release candidates": {"requirements.txt": "--pre\nsix>=1.0\nattrs\n"},
    "only setup.py": {
        "setup.py": "from setuptools import setup\nsetup(name='rows', py_modules=['main'], install_requires=['six'])\n"
    },
    "only pyproject.toml": {"pyproject.toml": PROJECT},
    "a folder of requirements": {"requirements/base.txt": "six\n", "requirements/prod.txt": "-r base.txt\nidna==3.7\n"},
    "another encoding": {"requirements.txt": "\ufeffsix==1.16.0\r\nidna==3.7\r\n"},
}
#: uv wants hashes of constraints, too, and an include on one line.
PIP_TRIES = ("hashes and continuations", "an include over two lines")
EXAMPLES = ("iris-classifier", "sentiment")
PROJECTS = ("uv", "poetry", "pdm", "pipenv", "pylock")


@pytest.fixture(scope="module")
def installer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take what builds mount out of the server's image."""
    sources = image.find_sources()
    engine = image.probe(os.environ)
    bundle = os.environ.get("SSL_CERT_FILE")
    secrets = {"ca-bundle": Path(bundle)} if bundle else {}
    server = image.server_image(engine, image.server_version(sources), engine.platform, sources, Silent(), secrets)
    target = tmp_path_factory.mktemp("installer")
    made = docker("create", server, "x")
    try:
        docker("cp", f"{made}:/install", target)
    finally:
        docker("rm", made)
    return target / "install"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what is fetched from one folder to the next; root's files in it are removed by root."""
    folder = tmp_path_factory.mktemp("cache")
    yield folder
    remove = ["docker", "run", "--rm", f"--volume={folder}:/x", "--entrypoint=", "python:3.13-slim-trixie"]
    subprocess.run([*remove, "sh", "-c", "rm -rf /x/*"], capture_output=True, check=False)


def folder_of(name: str, tmp_path: Path) -> Path:
    if name in EXAMPLES:
        return Path(shutil.copytree(ROOT / "examples" / name, tmp_path / "program"))
    if name in PROJECTS:
        folder = projects.copy(name, tmp_path / "program")
        (folder / "main.py").touch()
        return folder
    for path, text in {"main.py": "", **FOLDERS[name]}.items():
        file = tmp_path / "program" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")
    return tmp_path / "program"


def installed(folder: Path, installer: Path, cache: Path) -> tuple[set[str], str]:
    """Run the steps of the Dockerfile that install, and list the packages; the second is what was printed."""
    settings = ProgramSettings(folder)
    program = inspect(settings, ImageSettings("x", cache="none"), SmokeSettings(), Silent())
    if program.packages.text:
        (folder / REQUIREMENTS).write_text(program.packages.text, encoding="utf-8")
    text = render_dockerfile(program, "localhost/server:1").replace("\\\n", "")
    steps = [
        line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN ") and "model_installer" in line
    ]
    shell = " && ".join(f"( {re.sub(r'--mount=[^ ]+', '', step)} )" for step in steps)
    bundle = os.environ.get("SSL_CERT_FILE")
    mounts = [f"--volume={installer}:/run/install:ro", f"--volume={cache}:/root/.cache", f"--volume={folder}:/given:ro"]
    mounts += [f"--volume={bundle}:/run/secrets/ca-bundle:ro"] if bundle else []
    command = f'cp -r /given /program && cd /program && {shell} && echo LISTED && python -c "{LIST}"'
    done = subprocess.run(
        ["docker", "run", "--rm", *mounts, "--entrypoint=", program.base_image, "sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
    )
    printed, _, listed = done.stdout.partition("LISTED\n")
    assert done.returncode == 0, printed + done.stderr
    return set(listed.split()), printed


@pytest.mark.parametrize("name", [*FOLDERS, *EXAMPLES, *PROJECTS])
def test_uv_and_pip_install_the_same(name: str, tmp_path: Path, installer: Path, cache: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    shutil.copytree(installer / "model_installer", without / "model_installer")
    folder = folder_of(name, tmp_path)
    by_uv, said_by_uv = installed(folder, installer, cache)
    by_pip, said_by_pip = installed(folder, without, cache)
    assert by_uv == by_pip
    assert len(by_uv) > 1
    assert "Installing by uv." in said_by_uv
    assert ("pip tries" in said_by_uv) == (name in PIP_TRIES)
    assert "Installing by pip, because uv does not know this processor." in said_by_pip


@pytest.mark.parametrize(
    ("requirements", "why"),
    [("--prefer-binary\nsix\n", "because uv does not know --prefer-binary"), ("six==9.9.9\n", "pip tries")],
)
def test_pip_does_what_uv_does_not(requirements: str, why: str, tmp_path: Path, installer: Path, cache: Path) -> None:
    (tmp_path / "program").mkdir()
    (tmp_path / "program/main.py").touch()
    (tmp_path / "program/requirements.txt").write_text(requirements)
    if "9.9.9" in requirements:
        with pytest.raises(AssertionError, match=f"{why}[\\s\\S]*No matching distribution found for six==9.9.9"):
            installed(tmp_path / "program", installer, cache)
    else:
        assert why in installed(tmp_path / "program", installer, cache)[1]


def test_a_private_index_is_read_and_its_password_is_nowhere(tmp_path: Path, installer: Path) -> None:
    password = f"word-{os.urandom(8).hex()}"
    index, config, said = tmp_path / "index.py", tmp_path / "pip.conf", "/tmp/said"
    index.write_text(INDEX.replace("PASSWORD", password))
    config.write_text(
        f"[global]\nindex-url = http://build:{password}@127.0.0.1:8000/simple\ntrusted-host = 127.0.0.1\n"
    )
    mounts = [f"--volume={index}:/run/secrets/index.py:ro", f"--volume={config}:/run/secrets/pip-config:ro"]
    mounts += [f"--volume={installer}:/run/install:ro", "--tmpfs=/root/.cache:exec"]
    serve = f"cd /tmp && python /run/secrets/index.py > {said} & until grep -qs listening {said}; do :; done"
    install = "PIP_CONFIG_FILE=/run/secrets/pip-config python /run/install/model_installer rows"
    search = f"! grep -rlF --exclude-dir=proc --exclude-dir=sys --exclude-dir=secrets --exclude-dir=.cache {password} /"
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--network=none", *mounts, "--entrypoint=", "python:3.13-slim-trixie"),
            *("sh", "-c", f"{serve}; {install} && python -c 'import rows' && {search}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=BUSY_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Installing by uv." in done.stdout
    assert "pip tries" not in done.stdout
    assert password not in done.stdout + done.stderr
