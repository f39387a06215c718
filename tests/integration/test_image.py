"""Images on the real engine: built, failed, interrupted, saved, loaded, run, pushed. All names begin with `mdimg-`."""

import base64
import gzip
import io
import os
import re
import secrets
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import boto3
import pytest
import requests
from docker.errors import ImageNotFound

from model_dockerize import sandbox
from model_dockerize.errors import BuildError, EngineError, ProgramError, PushError, SmokeError
from model_dockerize.image import (
    BUILD_ID_LABEL,
    BuildRequest,
    Engine,
    Image,
    RegistryAuth,
    ServerSources,
    build,
    find,
    held,
    inspect,
    load,
    look,
    probe,
    push,
    run,
    save,
    server_image,
    tag,
)
from model_dockerize.image.engine import connect
from model_dockerize.image.packing import zstd
from model_dockerize.image.push import ATTEMPTS
from model_dockerize.program.python_version import default_image
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox
from rig.engine import floor_engine
from rig.small_base import SMALL_BASE as BASE
from rig.small_base import make_small_base
from tests.rig.processes import command_lines
from tests.rig.progress import Said
from tests.rig.sandbox_calls import ask_sandbox
from tests.rig.waiting import BUSY_SECONDS, eventually

from .conftest import ROOT, Cli

OLD_BASE = "python:3.11-slim-bookworm"
# Libraries of this interpreter are for this version only.
LENDER = {11: OLD_BASE}.get(sys.version_info.minor, default_image(f"3.{sys.version_info.minor}"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    make_small_base()
    return probe({**os.environ, "MODEL_DOCKERIZE_HOME": str(tmp_path_factory.mktemp("home"))})


def context(dockerfile: str, **files: str) -> Callable[[BinaryIO], None]:
    """Return a build context in memory."""

    def write(pipe: BinaryIO) -> None:
        with tarfile.open(fileobj=pipe, mode="w|") as tar:
            for name, text in {"Dockerfile": dockerfile, **files}.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))

    return write


def remove(engine: Engine, *refs: str) -> None:
    with closing(connect(engine)) as client:
        for ref in refs:
            with suppress(ImageNotFound):
                client.images.remove(ref, force=True)


@pytest.fixture(scope="module")
def web(engine: Engine) -> Iterator[Image]:
    """Build an image that serves its own directory on port 80, with a build id of its own."""
    build_id = secrets.token_hex(16)
    serve = '["httpd", "-f", "-vv", "-p", "80"]'
    text = f"FROM {BASE}\nRUN echo made > /made.txt\nWORKDIR /srv\nCOPY page .\nCMD {serve}\n"
    request = BuildRequest(tags=("mdimg-web:1.0",), labels={BUILD_ID_LABEL: build_id}, build_id=build_id)
    yield build(engine, context(text, page="hello"), request, Silent())
    remove(engine, "mdimg-web:1.0", "mdimg-web:2", f"gx-images:t-{build_id}")


def test_probe_is_quick_and_true(engine: Engine) -> None:
    started = time.monotonic()
    assert probe(os.environ) == engine
    assert time.monotonic() - started < 0.5 * max(1.0, os.getloadavg()[0])
    told = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Os}}/{{.Server.Arch}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [engine.version, engine.api_version, engine.platform]


def test_an_engine_that_is_not_there() -> None:
    with pytest.raises(EngineError, match=r"does not answer at unix:///nowhere/docker\.sock"):
        probe({**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"})


def test_a_build_is_listed_labeled_and_told_step_by_step(engine: Engine) -> None:
    build_id, nonce = secrets.token_hex(16), secrets.token_hex(4)
    text = f"FROM {BASE}\nARG WORD\nRUN echo {nonce} $WORD\nRUN echo again\n"
    request = BuildRequest(
        tags=("mdimg-steps:1", "mdimg-steps:latest"),
        build_args={"WORD": "a b"},
        labels={BUILD_ID_LABEL: build_id},
        build_id=build_id,
        platform=engine.platform,
    )
    try:
        words = Said()
        first = build(engine, context(text), request, words)
        assert (first.ref, first.build_id, first.ran_steps, first.cached_steps) == ("mdimg-steps:1", build_id, 2, 0)
        assert first.size > 1_000_000
        assert f"  {nonce} a b" in words.outputs
        assert any(re.fullmatch(rf"\[2/3\] RUN echo {nonce} .*: \d+\.\d s", line) for line in words.outputs)
        assert any(text.startswith("Built mdimg-steps:1 in ") for text in words.infos)
        with closing(connect(engine)) as client:
            assert {"mdimg-steps:1", "mdimg-steps:latest"} <= set(client.images.get(first.id).tags)

        words = Said()
        again = build(engine, context(text), request, words)
        assert (again.id, again.ran_steps, again.cached_steps) == (first.id, 0, 2)
        assert "[3/3] RUN echo again: cached" in words.outputs
        found = find(engine, build_id)
        assert found is not None
        assert found.id == first.id
        assert find(engine, "0" * 32) is None
    finally:
        remove(engine, "mdimg-steps:1", "mdimg-steps:latest")


def test_a_changed_file_runs_only_what_comes_after_it(engine: Engine) -> None:
    nonce = secrets.token_hex(4)
    text = f"FROM {BASE}\nRUN echo dependencies {nonce}\nCOPY model.py /\nRUN echo after\n"
    request = BuildRequest(tags=("mdimg-layers:1",))
    try:
        assert build(engine, context(text, **{"model.py": "1"}), request, Silent()).ran_steps == 3
        changed = build(engine, context(text, **{"model.py": "2"}), request, Silent())
        assert [step.cached for step in changed.steps] == [True, False, False]
    finally:
        remove(engine, "mdimg-layers:1")


def test_a_failing_step_is_named_with_its_last_words(engine: Engine) -> None:
    words = "for i in $(seq 100); do echo line $i; done; sleep 1; echo 'error: no such wheel' >&2; exit 3"
    text = f"FROM {BASE}\nRUN {words}\n"
    with pytest.raises(BuildError) as raised:
        build(engine, context(text), BuildRequest(tags=("mdimg-fail:1",), build_args={"X": "in-argv"}), Silent())
    error = raised.value
    assert str(error).startswith("The image mdimg-fail:1 did not build at [2/2] RUN for i in")
    assert str(error).endswith("error: no such wheel (exit code 3)")
    assert "error: no such wheel" in error.details[-2:]
    assert "line 100" in error.details
    assert "line 1" not in error.details
    assert "in-argv" not in "\n".join((str(error), error.remedy, *error.details))


def test_a_dockerfile_that_is_none(engine: Engine) -> None:
    with pytest.raises(BuildError, match="unknown instruction: FOO"):
        build(engine, context(f"FROM {BASE}\nFOO bar\n"), BuildRequest(tags=("mdimg-fail:1",)), Silent())


def test_a_base_image_that_is_none(engine: Engine) -> None:
    with pytest.raises(BuildError) as raised:
        build(engine, context("FROM 127.0.0.1:1/none:1\n"), BuildRequest(tags=("mdimg-fail:1",)), Silent())
    assert "base image" in raised.value.remedy


def test_a_secret_reaches_its_step_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    value, nonce = secrets.token_hex(16), secrets.token_hex(4)
    file = tmp_path / "a secret, with a comma"
    file.write_text(value)
    use = f"echo {nonce}; sha256sum /run/secrets/key > /sum; wc -c /run/secrets/key"
    text = f"FROM {BASE}\nRUN --mount=type=secret,id=key {use}\n"
    words = Said()
    try:
        image = build(engine, context(text), BuildRequest(tags=("mdimg-secret:1",), secrets={"key": file}), words)
        assert "  32 /run/secrets/key" in words.outputs
        with closing(connect(engine)) as client:
            saved = b"".join(client.api.get_image(image.ref))
        assert value.encode() not in saved
        assert value not in "\n".join((*words.outputs, *words.infos))
    finally:
        remove(engine, "mdimg-secret:1")


def test_the_error_of_a_context_is_the_error_of_the_build(engine: Engine) -> None:
    def broken(pipe: BinaryIO) -> None:
        context(f"FROM {BASE}\n")(pipe)  # a whole archive: only the error tells that it was not meant to be
        raise ProgramError("model.bin vanished while it was read.")

    with pytest.raises(ProgramError, match=r"model\.bin vanished"):
        build(engine, broken, BuildRequest(tags=("mdimg-broken:1",)), Silent())
    with pytest.raises(EngineError, match="no image mdimg-broken:1"):
        inspect(engine, "mdimg-broken:1")


def test_a_build_that_ends_before_it_has_read_the_context(engine: Engine) -> None:
    written = []

    def large(pipe: BinaryIO) -> None:
        with tarfile.open(fileobj=pipe, mode="w|") as tar:
            for number in range(256):
                member = tarfile.TarInfo(f"part-{number}")
                member.size = 1 << 20
                tar.addfile(member, io.BytesIO(os.urandom(member.size)))
                written.append(number)

    with pytest.raises(BuildError, match="no such file"):
        build(engine, large, BuildRequest(tags=("mdimg-broken:1",), secrets={"x": Path("/gone")}), Silent())
    assert len(written) < 256


INTERRUPTED = """
import io, os, signal, sys, tarfile
from model_dockerize.image import BuildRequest, build, probe
from model_dockerize.progress import Silent

class Telling(Silent):
    def output(self, text):
        if "MARK" in text: print("building", flush=True)

def context(pipe):
    with tarfile.open(fileobj=pipe, mode="w|") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(sys.argv[1])
        tar.addfile(member, io.BytesIO(sys.argv[1].encode()))

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
build(probe(os.environ), context, BuildRequest(tags=("mdimg-interrupted:1",)), Telling())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_no_process(engine: Engine, number: signal.Signals) -> None:
    nonce = secrets.token_hex(8)
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, f"FROM {BASE}\nRUN echo MARK {nonce}; sleep 300\n"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "lib")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout
    with child:
        assert child.stdout.readline() == "building\n"
        child.send_signal(number)
        assert child.wait(timeout=100) != 0  # a third of what the step takes
    eventually(lambda: not _commands_with(nonce), tell=lambda: _commands_with(nonce))


def _commands_with(text: str) -> list[str]:
    return [line for line in command_lines() if text in line or "mdimg-interrupted" in line]


def test_one_more_name_is_the_same_image(engine: Engine, web: Image) -> None:
    tag(engine, web, "mdimg-web:2")
    assert inspect(engine, "mdimg-web:2").id == inspect(engine, "mdimg-web:1.0").id == web.id
    with pytest.raises(EngineError, match="cannot be named"):
        tag(engine, web, "Not A Name:1")


def test_saved_removed_and_loaded_again(engine: Engine, web: Image, tmp_path: Path) -> None:
    words = Said()
    archive = save(engine, web, tmp_path / "out put", "Iris classifier", words)
    assert re.fullmatch(r"Iris-classifier_[0-9a-f]{6}\.docker\.tar\.gz", archive.path.name)
    assert archive.tag == f"gx-images:t-{web.build_id}"
    assert archive.size == archive.path.stat().st_size
    assert list(archive.path.parent.iterdir()) == [archive.path]

    before = archive.path.stat()
    assert save(engine, web, tmp_path / "out put", "Iris classifier", words) == archive
    assert archive.path.stat().st_mtime_ns == before.st_mtime_ns
    assert "is there already" in words.infos[-1]

    subprocess.run(["docker", "rmi", archive.tag], check=True, capture_output=True)
    loaded = subprocess.run(["docker", "load", "-i", archive.path], check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == f"Loaded image: {archive.tag}"
    subprocess.run(["docker", "rmi", archive.tag], check=True, capture_output=True)

    contents = look(archive.path, engine.platform)
    assert contents.names == (archive.tag,)
    image = load(engine, contents, words)
    assert (image.ref, image.build_id) == (archive.tag, web.build_id)
    assert held(engine, contents) == image
    remove(engine, archive.tag)
    packed = tmp_path / "packed.tar.zst"
    packed.write_bytes(zstd.compress(gzip.decompress(archive.path.read_bytes())))
    assert load(engine, look(packed, engine.platform), words).id == image.id


def test_a_file_of_the_same_name_with_another_image_is_replaced(engine: Engine, web: Image, tmp_path: Path) -> None:
    path = tmp_path / f"iris_{web.build_id[:6]}.docker.tar.gz"
    path.write_bytes(gzip.compress(b"something else"))
    archive = save(engine, web, tmp_path, "iris", Silent())
    assert archive.path == path
    assert look(path, engine.platform).names == (archive.tag,)


def test_an_image_without_a_build_id_has_no_archive(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no build id"):
        save(engine, inspect(engine, BASE), tmp_path, "base", Silent())


def test_a_container_answers_and_is_removed(engine: Engine, web: Image) -> None:
    with run(engine, web.ref, {"WORD": "x"}, "mdimg-run") as container:
        assert container.name.startswith("mdimg-run-")
        assert all(url.startswith("http://127.0.0.1:") for url in container.urls)
        assert container.exited() is None
        answer = _get(f"{container.urls[0]}/page")
        assert answer.text == "hello"
        # The program prints after it answered, and the engine reads that a little later.
        eventually(lambda: "url:/page" in container.logs(tail=5), tell=container.logs)
    with closing(connect(engine)) as client:
        assert client.containers.list(all=True, filters={"name": container.name}, ignore_removed=True) == []
    assert container.exited() == 137


def _get(url: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False

        def answer() -> requests.Response | None:
            with suppress(requests.ConnectionError):
                return session.get(url, timeout=5)
            return None

        return eventually(answer)


def test_a_container_is_removed_when_the_block_fails(engine: Engine, web: Image) -> None:
    with pytest.raises(KeyboardInterrupt), run(engine, web.ref, {}, "mdimg-run") as container:
        raise KeyboardInterrupt
    with closing(connect(engine)) as client:
        assert client.containers.list(all=True, filters={"name": container.name}, ignore_removed=True) == []


def test_a_container_that_ends_tells_its_code_and_words(engine: Engine) -> None:
    text = f'FROM {BASE}\nCMD ["sh", "-c", "echo out; echo err >&2; exit 7"]\n'
    build(engine, context(text), BuildRequest(tags=("mdimg-exit:1",)), Silent())
    try:
        with run(engine, "mdimg-exit:1", {}, "mdimg-run") as container:
            eventually(lambda: container.exited() is not None)
            assert container.exited() == 7
            eventually(lambda: sorted(container.logs().split()) == ["err", "out"], tell=container.logs)
    finally:
        remove(engine, "mdimg-exit:1")


def test_a_container_that_cannot_start(engine: Engine) -> None:
    build(engine, context(f'FROM {BASE}\nCMD ["/no/such/program"]\n'), BuildRequest(tags=("mdimg-none:1",)), Silent())
    try:
        with pytest.raises(SmokeError, match="/no/such/program"), run(engine, "mdimg-none:1", {}, "mdimg-none"):
            pass
        with closing(connect(engine)) as client:
            assert client.containers.list(all=True, filters={"name": "mdimg-none-"}, ignore_removed=True) == []
    finally:
        remove(engine, "mdimg-none:1")


def test_an_image_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(EngineError, match="no image mdimg-gone:1"), run(engine, "mdimg-gone:1", {}, "mdimg-run"):
        pass


INSIDE = """
import sys, time, urllib.request
sys.path += ["/lib/ours", "/libraries"]
from model_dockerize.image.container import run
from model_dockerize.image.engine import Engine
from pathlib import Path
from typing import Any

engine = Engine("", "1.41", "", "", False, Path("docker"), "unix:///var/run/docker.sock", "default", {})
with run(engine, "mdimg-web:1.0", {}, "mdimg-inside") as container:
    for _ in range(1200):  # two minutes, where everything is slow
        try:
            print(container.urls[0], urllib.request.urlopen(container.urls[0] + "/page", timeout=5).read().decode())
            break
        except OSError:
            time.sleep(0.1)
"""


@pytest.mark.parametrize("network", ["bridge", "mdimg-net"])
def test_from_inside_a_container_the_address_is_that_of_our_network(engine: Engine, web: Image, network: str) -> None:
    """Run as in a GitHub Action: the engine's socket, a network of its own. The host's libraries are only lent."""
    with closing(connect(engine)) as client:
        made = client.networks.create(network) if network != "bridge" else None
        try:
            said = subprocess.run(
                [
                    *("docker", "run", "--rm", "--network", network),
                    *("-v", "/var/run/docker.sock:/var/run/docker.sock"),
                    *(
                        "-v",
                        f"{Path(requests.__file__).parents[1]}:/libraries:ro",
                        "-v",
                        f"{ROOT / 'lib'}:/lib/ours:ro",
                    ),
                    *(LENDER, "python3", "-B", "-c", INSIDE),
                ],
                capture_output=True,
                text=True,
                check=False,
                timeout=BUSY_SECONDS,
            )
        finally:
            if made:
                made.remove()
    assert re.fullmatch(r"http://(?!127\.)[\d.]+:80 hello\n", said.stdout), said.stderr
    assert web.ref == "mdimg-web:1.0"


def test_the_servers_image_from_a_bundle_is_made_once(engine: Engine, tmp_path: Path) -> None:
    version = f"test{secrets.token_hex(4)}"
    (tmp_path / "model-server").write_text(f"#!/bin/sh\necho served {version}\n")
    (tmp_path / "model-server").chmod(0o755)
    bundle = tmp_path / "bundle.tar.gz"
    with tarfile.open(bundle, "w:gz") as tar:
        tar.add(tmp_path / "model-server", "opt/model-server/model-server")
    words = Said()
    ref = server_image(engine, version, engine.platform, ServerSources({}, bundle), words)
    try:
        assert ref == f"localhost/model-dockerize/model-server:{version}"
        made = inspect(engine, ref)
        text = (
            f"FROM {BASE}\nCOPY --from={ref} /opt/model-server /opt/model-server\nRUN /opt/model-server/model-server\n"
        )
        build(engine, context(text), BuildRequest(tags=("mdimg-served:1",)), words)
        assert f"  served {version}" in words.outputs
        words = Said()
        assert server_image(engine, version, engine.platform, ServerSources({}, None), words) == ref
        assert words.outputs == []
        assert inspect(engine, ref).id == made.id
    finally:
        remove(engine, "mdimg-served:1", ref)


def test_the_servers_image_from_nothing(engine: Engine) -> None:
    with pytest.raises(EngineError, match="nothing to make it from"):
        server_image(engine, "000000000000", engine.platform, ServerSources({}, None), Silent())


@dataclass(frozen=True)
class Registry:
    """The sandbox's registry with a repository in it, and how its API makes more."""

    repository: str
    ecr: Any
    box: Sandbox

    def login(self) -> RegistryAuth:
        """Return a password that is good now."""
        token = self.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, password = base64.b64decode(token).decode().split(":", 1)
        return RegistryAuth(user, password, self.repository.partition("/")[0])


@pytest.fixture(scope="module")
def registry(cli: Cli, engine: Engine) -> Iterator[Registry]:
    aws = sandbox.start(cli.home, Silent())
    ecr = boto3.client(
        "ecr",
        endpoint_url=aws.endpoint_url,
        region_name=aws.region,
        aws_access_key_id=aws.account_id,
        aws_secret_access_key=aws.secret_key,
    )
    name = f"mdimg-{secrets.token_hex(4)}"
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    immutable = ecr.create_repository(repositoryName=f"{name}-fixed", imageTagMutability="IMMUTABLE")
    assert immutable["repository"]["repositoryUri"] == f"{uri}-fixed"
    yield Registry(uri, ecr, aws)
    remove(engine, f"{uri}:1", f"{uri}:2", f"{uri}:3", f"{uri}-fixed:1", f"{uri}-gone:1")


def test_pushed_is_what_the_registry_holds(engine: Engine, web: Image, registry: Registry) -> None:
    words, auth = Said(), registry.login()
    digest = push(engine, web.ref, f"{registry.repository}:1", registry.login, words)
    manifest = requests.head(
        f"http://{auth.registry}/v2/{registry.repository.partition('/')[2]}/manifests/1",
        headers={
            "Accept": "application/vnd.oci.image.manifest.v1+json, "
            "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json"
        },
        auth=(auth.username, auth.password),
        timeout=10,
        proxies={"http": "", "https": ""},
    )
    assert manifest.headers["Docker-Content-Digest"] == digest
    assert "index" not in manifest.headers["Content-Type"]
    assert re.search(r": \d+ layers sent \(\d+\.\d MB\), ", words.infos[-1])
    assert inspect(engine, f"{registry.repository}:1").id == web.id

    words = Said()
    assert push(engine, web.ref, f"{registry.repository}:2", registry.login, words) == digest
    assert ": 0 layers sent" in words.infos[-1]
    config = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"
    assert not config.exists() or auth.registry not in config.read_text()


def test_a_login_that_expires_meanwhile_is_renewed(engine: Engine, web: Image, registry: Registry) -> None:
    words, logins = Said(), []

    def login() -> RegistryAuth:
        logins.append(registry.login())
        if len(logins) == 1:
            assert ask_sandbox(registry.box, "POST", "/_sandbox/registry-tokens/expire")["expired"] > 0
            return replace(logins[-1], expires=datetime.now(UTC))
        return logins[-1]

    digest = push(engine, web.ref, f"{registry.repository}:3", login, words)
    assert digest.startswith("sha256:")
    assert len(logins) == 2
    assert ["expired" in warning for warning in words.warnings] == [True]


@pytest.mark.parametrize(
    ("suffix", "password", "message"),
    [
        (":1", "wrong", "does not accept these credentials|not allowed"),
        ("-gone:1", "", "repository does not exist"),
        ("-fixed:1", "", "immutable"),
    ],
)
def test_a_refused_push_says_why(
    engine: Engine, web: Image, registry: Registry, suffix: str, password: str, message: str
) -> None:
    good = registry.login()
    auth = RegistryAuth(good.username, password or good.password, good.registry)
    target = registry.repository + suffix
    image = web.ref
    if suffix == "-fixed:1":
        push(engine, image, target, lambda: auth, Silent())
        image = BASE
    with pytest.raises(PushError, match=message) as raised:
        push(engine, image, target, lambda: auth, Silent())
    assert raised.value.remedy
    assert auth.password not in "\n".join((str(raised.value), raised.value.remedy, *raised.value.details))


def test_a_target_of_another_registry_is_refused_before_the_push(engine: Engine, web: Image) -> None:
    auth = RegistryAuth("AWS", "x", "127.0.0.1:1")
    with pytest.raises(PushError, match="does not belong to the registry"):
        push(engine, web.ref, "127.0.0.1:2/iris:1", lambda: auth, Silent())


def test_a_registry_that_does_not_answer_is_tried_again(engine: Engine, web: Image) -> None:
    words = Said()
    try:
        with pytest.raises(PushError, match="connection to the registry broke off"):
            auth = RegistryAuth("AWS", "x", "127.0.0.1:1")
            push(engine, web.ref, "127.0.0.1:1/mdimg-none:1", lambda: auth, words)
    finally:
        remove(engine, "127.0.0.1:1/mdimg-none:1")
    assert len(words.warnings) == ATTEMPTS - 1
    assert words.warnings[0].startswith(f"Attempt 1 of {ATTEMPTS} to push failed and is repeated: ")


@pytest.mark.needs("root-on-debian")
def test_the_oldest_engine_does_the_same(tmp_path: Path) -> None:
    with floor_engine([make_small_base()]) as floor:
        engine = probe({**os.environ, "DOCKER_HOST": floor.host, "MODEL_DOCKERIZE_HOME": str(tmp_path / "home")})
        assert engine.version.startswith("20.10.")
        assert not engine.containerd_store
        build_id = secrets.token_hex(16)
        text = f"FROM {BASE}\nRUN --mount=type=secret,id=key cat /run/secrets/key | wc -c\nRUN echo two\n"
        serve = 'CMD ["sh", "-c", "echo $((1 + 1)); exec sleep 60"]\n'
        (tmp_path / "key").write_text("12345")
        request = BuildRequest(
            ("floor:1",), labels={BUILD_ID_LABEL: build_id}, secrets={"key": tmp_path / "key"}, build_id=build_id
        )
        words = Said()
        first = build(engine, context(text + serve), request, words)
        assert "  5" in words.outputs
        assert (first.ran_steps, first.build_id) == (2, build_id)
        assert build(engine, context(text + serve), request, Silent()).cached_steps == 2
        with pytest.raises(BuildError, match=r"RUN exit 9: exit code 9"):
            build(engine, context(text + "RUN exit 9\n"), request, Silent())
        archive = save(engine, first, tmp_path, "floor", Silent())
        remove(engine, "floor:1", archive.tag)
        assert find(engine, build_id) is None
        assert load(engine, look(archive.path, engine.platform), Silent()).id == first.id
        with run(engine, archive.tag, {}, "mdimg-floor") as container:
            assert (eventually(container.logs), container.exited()) == ("2\n", None)
        layout = oci_layout(tmp_path)
        load_layout(engine, layout)  # it knows only docker's own form
    load_layout(probe(os.environ), layout)


def oci_layout(folder: Path) -> Path:
    """Make an image in the form of OCI, as the default engine's builder does, packed with zstandard; without a name."""
    made = folder / "layout"
    made.mkdir()
    (made / "Dockerfile").write_text(f"FROM {BASE}\nLABEL made={secrets.token_hex(8)}\n")
    plain, packed = folder / "layout.tar", folder / "model_123abc.oci.tar.zst"
    argv = ["docker", "buildx", "build", "--quiet", "--output", f"type=oci,dest={plain}", made]
    subprocess.run(argv, check=True, capture_output=True)
    packed.write_bytes(zstd.compress(plain.read_bytes(), 1))
    return packed


def load_layout(engine: Engine, layout: Path) -> None:
    """Loaded, named by its identity, found again, run."""
    contents = look(layout, engine.platform)
    assert (contents.names, contents.claim) == ((), "")
    try:
        assert held(engine, contents) is None
        loaded = load(engine, contents, Silent())
        assert loaded.ref == f"gx-images:t-{contents.config[7:39]}"
        assert held(engine, contents) == loaded
        with run(engine, loaded.ref, {}, "mdimg-layout") as container:
            assert container.id
    finally:
        remove(engine, f"gx-images:t-{contents.config[7:39]}")
