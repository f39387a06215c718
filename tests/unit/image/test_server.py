"""The server's version: it changes with whatever the server is made of, and with nothing else."""

import io
import tarfile
from pathlib import Path

import pytest

from model_dockerize.errors import EngineError
from model_dockerize.image import ServerSources, server_ref, server_version
from model_dockerize.image.server import _write_bundle, _write_sources, of_checkout, stage_text

DOCKERFILE = """\
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS bundle
RUN make-it
FROM scratch AS model-server
COPY --from=bundle /opt /opt
FROM python:3.13-slim-trixie AS action
COPY --from=model-server /opt/model-server /opt/model-server
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in {
        "Dockerfile": DOCKERFILE,
        "lib/model_server/__main__.py": "print(1)",
        "lib/model_server/pages/x.html": "<p>",
        "lib/model_server/__pycache__/x.cpython-311.pyc": "junk",
        "lib/model_runner/runner.py": "print(2)",
        "lib/model_dockerize/cli.py": "print(3)",
        "requirements/server-build.txt": "starlette==1",
        ".env": "SECRET=1",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def version(root: Path) -> str:
    return server_version(ServerSources(of_checkout(root), None))


def test_twelve_hex_digits_in_the_name(checkout: Path) -> None:
    found = version(checkout)
    assert len(found) == 12
    assert int(found, 16) >= 0
    assert server_ref(found, "linux/amd64") == f"localhost/model-dockerize/model-server:{found}"
    assert server_ref(found, "linux/arm64") == f"localhost/model-dockerize/model-server:{found}-arm64"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lib/model_server/__main__.py", "print(9)"),
        ("lib/model_server/new.py", ""),
        ("lib/model_runner/runner.py", "print(9)"),
        ("requirements/server-build.txt", "starlette==2"),
        ("Dockerfile", DOCKERFILE.replace("make-it", "make-it-otherwise")),
        ("Dockerfile", DOCKERFILE.replace("python:3.11-slim-bookworm", "python:3.12-slim")),
        ("Dockerfile", DOCKERFILE.replace("/opt /opt", "/opt/x /opt")),
    ],
)
def test_what_the_server_is_made_of_changes_it(checkout: Path, name: str, text: str) -> None:
    before = version(checkout)
    (checkout / name).write_text(text)
    assert version(checkout) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lib/model_dockerize/cli.py", "print(9)"),
        ("lib/model_server/__pycache__/y.cpython-313.pyc", "other"),
        ("Dockerfile", DOCKERFILE.replace("python:3.13-slim-trixie", "python:3.14-slim")),
        ("README.md", "new"),
    ],
)
def test_nothing_else_does(checkout: Path, name: str, text: str) -> None:
    before = version(checkout)
    (checkout / name).write_text(text)
    assert version(checkout) == before


def test_a_file_moved_is_another_server(checkout: Path) -> None:
    before = version(checkout)
    (checkout / "lib/model_server/pages/x.html").rename(checkout / "lib/model_server/pages/y.html")
    assert version(checkout) != before


def test_without_sources_there_is_no_version() -> None:
    with pytest.raises(EngineError, match="not beside this program"):
        server_version(ServerSources({}, Path("/opt/model-server")))


def test_the_stages_that_a_stage_uses() -> None:
    assert stage_text(DOCKERFILE, "model-server") == DOCKERFILE.partition("FROM python:3.13")[0]
    mounted = "FROM a AS one\nFROM b AS two\nRUN --mount=type=bind,from=one,target=/x y\nFROM c AS three\n"
    assert stage_text(mounted, "two") == mounted.partition("FROM c")[0]
    inherited = "FROM a AS one\nFROM --platform=linux/amd64 one AS two\nFROM c AS three\n"
    assert stage_text(inherited, "two") == inherited.partition("FROM c")[0]


def test_a_dockerfile_without_the_stage() -> None:
    with pytest.raises(EngineError, match="no stage model-server"):
        stage_text("FROM scratch\n", "model-server")


def test_only_what_makes_the_version_is_sent_to_the_build(checkout: Path) -> None:
    sent = io.BytesIO()
    _write_sources(of_checkout(checkout), sent)
    sent.seek(0)
    with tarfile.open(fileobj=sent) as tar:
        assert tar.getnames() == [
            "Dockerfile",
            "lib/model_runner/runner.py",
            "lib/model_server/__main__.py",
            "lib/model_server/pages/x.html",
            "requirements/server-build.txt",
        ]


def test_a_bundle_is_sent_as_it_is_to_be_unpacked_there(tmp_path: Path) -> None:
    bundle = tmp_path / "model-server.tar.gz"
    bundle.write_bytes(b"packed")
    sent = io.BytesIO()
    _write_bundle(bundle, sent)
    sent.seek(0)
    with tarfile.open(fileobj=sent) as tar:
        text = tar.extractfile("Dockerfile")
        assert text is not None
        assert text.read() == b"FROM scratch\nADD model-server.tar.gz /\n"
        packed = tar.extractfile("model-server.tar.gz")
        assert packed is not None
        assert packed.read() == b"packed"
        assert {member.uid for member in tar} == {0}
