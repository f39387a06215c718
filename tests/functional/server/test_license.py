"""License keys are issued by the command, checked by the server, refused with the reason, and shown by the API."""

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest
import requests
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model_dockerize import licenses
from model_dockerize.cli import cli
from model_dockerize.errors import InputError
from model_server import manifest, settings
from model_server.errors import LicenseError, StartError
from model_server.license import NO_KEY, Licensing, of_image

from .conftest import Server, StartServer, manifest_text, write_program

NOW = 1_700_000_000  # Tuesday, 14 November 2023 22:13:20


class Publisher:
    def __init__(self, folder: Path) -> None:
        self.private = folder / "publisher.pem"
        self.public = licenses.make_pair(self.private)

    def key(self, model: str = "upper", days: int = 30, now: float | None = None) -> str:
        return licenses.issue(self.private, model, "Ann Example", "ann@example.com", days, now)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    (tmp_path / "publisher").mkdir()
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def licensed(start_server: StartServer, publisher: Publisher) -> Server:
    """Start a server that wants a key."""
    return start_server(license_public_key=publisher.public)


def add_job(server: Server) -> requests.Response:
    return requests.post(f"{server.url}/data/add-job", files={"File": b"a\n"}, timeout=60)


def shown(server: Server) -> dict[str, object]:
    answer = requests.get(f"{server.url}/api/license", timeout=60)
    assert answer.status_code == 200
    return dict(answer.json())


def test_the_text_is_what_clients_compare(tmp_path: Path, publisher: Publisher) -> None:
    licensing = Licensing(publisher.public, "upper", tmp_path, clock=lambda: NOW + 1.0)
    found = licensing.apply(publisher.key(now=NOW))
    assert str(found) == (
        "Licensed To: Ann Example - ann@example.com, Expires:Thursday, 14 December 2023 22:13:20 (UTC)"
    )
    assert licensing.problem() is None


def test_without_a_key_no_data_is_taken_and_with_one_it_is(licensed: Server, publisher: Publisher) -> None:
    before = licensed.stored()
    refused = add_job(licensed)
    assert refused.status_code == 403
    assert refused.json()["isError"] is True
    assert "page License Key" in refused.json()["errorMessage"]
    assert licensed.stored() == before
    assert shown(licensed) == {"data": NO_KEY, "isError": False, "errorMessage": None}
    answer = requests.post(f"{licensed.url}/api/license", json={"License": publisher.key()}, timeout=60)
    assert (answer.status_code, answer.content) == (200, b'{"isError":false,"errorMessage":null}')
    body = shown(licensed)
    assert str(body["data"]).startswith("Licensed To: Ann Example - ann@example.com, Expires:")
    assert (body["isError"], body["errorMessage"]) == (False, None)
    assert licensed.wait(add_job(licensed).json()["data"]["id"])["isError"] is False


def test_json_patch_and_a_file_are_taken_too(licensed: Server, publisher: Publisher) -> None:
    headers = {"content-type": "application/json-patch+json"}
    body = json.dumps({"license": publisher.key()})
    assert requests.post(f"{licensed.url}/api/license", data=body, headers=headers, timeout=60).status_code == 200
    (licensed.data / "license.gai_key").unlink()
    for name in ("License", "license"):
        files = {name: ("my.gai_key", publisher.key() + "\n")}
        answer = requests.post(f"{licensed.url}/api/license/file", files=files, timeout=60)
        assert (answer.status_code, answer.content) == (200, b'{"isError":false,"errorMessage":null}')
    assert add_job(licensed).status_code == 200


def tampered(key: str, **changes: object) -> str:
    header, claims, signature = key.split(".")
    document = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**document, **changes}).encode()).decode().rstrip("=")
    return f"{header}.{changed}.{signature}"


def test_every_wrong_key_is_refused_with_its_reason_and_the_good_one_stays(
    licensed: Server, publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    good = publisher.key()
    requests.post(f"{licensed.url}/api/license", json={"license": good}, timeout=60)
    secret = "a secret that is long enough for HMAC"
    claims = {"model": "upper", "name": "x", "email": "y", "exp": 2**31}
    raw = base64.urlsafe_b64decode(publisher.public + "==")
    wrong = {
        tampered(good, exp=2**33): "not signed by this model's publisher, or was changed",
        Publisher(tmp_path / "other").key(): "not signed by this model's publisher, or was changed",
        publisher.key(model="wine"): "is for the model 'wine', this is 'upper'",
        publisher.key(now=time.time() - 31 * 86400): "expired on",
        "nonsense": "not a license key",
        "a.b.c": "not a license key",
        jwt.encode(claims, secret, algorithm="HS256"): "not a license key",
        jwt.encode(claims, raw, algorithm="HS256"): "not a license key",
        jwt.encode(claims, None, algorithm="none"): "not a license key",
        "x" * 70_000: "too long",
    }
    for key, reason in wrong.items():
        answer = requests.post(f"{licensed.url}/api/license", json={"license": key}, timeout=60)
        body = answer.json()
        assert (answer.status_code, body["isError"]) == (400, True), reason
        assert reason in body["errorMessage"]
        file = requests.post(f"{licensed.url}/api/license/file", files={"License": key}, timeout=60)
        assert (file.status_code, file.json()["errorMessage"]) == (400, body["errorMessage"])
    assert str(shown(licensed)["data"]).startswith("Licensed To: Ann Example")


@pytest.mark.parametrize("lacking", ["name", "email", "exp"])
def test_a_key_that_says_too_little_is_refused(tmp_path: Path, publisher: Publisher, lacking: str) -> None:
    claims = {"model": "m", "name": "a", "email": "b", "exp": 2**31}
    del claims[lacking]
    private = serialization.load_pem_private_key(publisher.private.read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    with pytest.raises(LicenseError, match="does not say"):
        Licensing(publisher.public, "m", tmp_path).apply(jwt.encode(claims, private, algorithm="EdDSA"))


def test_bodies_without_a_key_are_refused(licensed: Server) -> None:
    url = f"{licensed.url}/api/license"
    for body in (b"", b"[]", b"{}", b'{"license": 1}', b'{"license": " "}', b"\xff"):
        assert requests.post(url, data=body, timeout=60).status_code == 400
        assert requests.post(f"{url}/file", data=body, timeout=60).status_code == 400
    assert requests.post(f"{url}/file", files={"Other": b"x"}, timeout=60).status_code == 400
    assert requests.post(f"{url}/file", files={"License": b""}, timeout=60).status_code == 400
    assert requests.post(url, data=b"x" * 200_000, timeout=60).status_code == 413
    assert requests.post(f"{url}/file", files={"License": b"x" * 200_000}, timeout=60).status_code == 413


def test_an_expired_key_is_said_and_takes_no_more_data(tmp_path: Path, publisher: Publisher) -> None:
    now = [float(NOW)]
    licensing = Licensing(publisher.public, "upper", tmp_path, clock=lambda: now[0])
    licensing.apply(publisher.key(days=30, now=NOW))
    now[0] += 30 * 86400 - 1
    assert licensing.problem() is None
    now[0] += 1
    assert licensing.problem() == "the license key expired on Thursday, 14 December 2023 22:13:20 (UTC)"
    assert licensing.current() is not None
    licensing.apply(publisher.key(days=30, now=now[0]))
    assert licensing.problem() is None


def test_get_says_when_the_key_has_expired(start_server: StartServer, publisher: Publisher, tmp_path: Path) -> None:
    now = [time.time()]
    licensing = Licensing(publisher.public, "upper", tmp_path, clock=lambda: now[0])
    licensing.apply(publisher.key(days=1))
    server = start_server(extra={"licensing": licensing})
    now[0] += 2 * 86400
    body = shown(server)
    assert str(body["data"]).startswith("Licensed To:")
    assert body["isError"] is True
    assert "expired on" in str(body["errorMessage"])
    assert "expired on" in add_job(server).json()["errorMessage"]


def test_a_key_is_shared_by_the_volume_and_survives(tmp_path: Path, publisher: Publisher) -> None:
    first, second = (Licensing(publisher.public, "upper", tmp_path) for _ in range(2))
    assert second.problem() == "this model needs a license key"
    first.apply(publisher.key())
    assert second.problem() is None
    assert Licensing(publisher.public, "upper", tmp_path).problem() is None
    (tmp_path / "license.gai_key").write_bytes(b"\xff\xfe")
    assert first.problem() == "this model needs a license key"


def test_where_licensing_is_off_no_key_is_needed_or_taken(server: Server, publisher: Publisher) -> None:
    assert shown(server) == {"data": NO_KEY, "isError": False, "errorMessage": None}
    answer = requests.post(f"{server.url}/api/license", json={"license": publisher.key()}, timeout=60)
    assert (answer.status_code, "not switched on" in answer.json()["errorMessage"]) == (400, True)


def test_a_wrong_public_key_stops_the_start(tmp_path: Path) -> None:
    for wrong in ("x", "AAAA", "ä"):
        with pytest.raises(StartError, match="32 bytes in base64url"):
            Licensing(wrong, "m", tmp_path)


def test_the_command_makes_a_pair_issues_and_inspects_and_never_shows_the_private_key(tmp_path: Path) -> None:
    run = CliRunner().invoke
    private, file = tmp_path / "mine.pem", tmp_path / "ann.gai_key"
    made = run(cli, ["license", "new-key", str(private)])
    assert made.exit_code == 0
    public = made.output.strip()
    assert private.stat().st_mode & 0o777 == 0o600
    options = ["--model", "upper", "--name", "Ann", "--email", "ann@x.y", "--output", str(file)]
    issued = run(cli, ["license", "issue", "--private-key", str(private), *options])
    assert issued.exit_code == 0
    assert "30 days" in issued.output
    assert Licensing(public, "upper", tmp_path).apply(file.read_text(encoding="ascii")).name == "Ann"
    inspected = run(cli, ["license", "inspect", str(file), "--public-key", public])
    assert (inspected.exit_code, json.loads(inspected.output)["problem"]) == (0, None)
    other = run(cli, ["license", "new-key", str(tmp_path / "other.pem")]).output.strip()
    assert run(cli, ["license", "inspect", str(file), "--public-key", other]).exit_code == 1
    secret = private.read_text(encoding="ascii").splitlines()[1]
    assert all(secret not in result.output for result in (made, issued, inspected))
    again = run(cli, ["license", "new-key", str(private)])
    assert again.exit_code == 2


@pytest.mark.parametrize("content", [None, b"", b"secret nonsense"])
def test_a_private_key_that_is_none_is_said_without_its_content(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        licenses.issue(path, "m", "n", "e", 1)
    assert "secret" not in str(caught.value)


def built(folder: Path, public: str, **changes: object) -> Path:
    """Write the manifest of an image that was built with this public key."""
    folder.mkdir()
    path = folder / "model.json"
    path.write_text(manifest_text(write_program(folder / "program"), license_public_key=public, **changes), "utf-8")
    return path


def test_a_key_from_the_environment_counts_where_the_volume_has_none(tmp_path: Path, publisher: Publisher) -> None:
    licensing = Licensing(publisher.public, "upper", tmp_path, given=publisher.key())
    assert licensing.problem() is None
    assert Licensing(publisher.public, "upper", tmp_path, given="x").problem() == "this model needs a license key"
    licensing.apply(publisher.key(days=2))
    assert (
        licensing.current() != Licensing(publisher.public, "upper", tmp_path / "none", given=publisher.key()).current()
    )


def test_no_word_of_the_environment_gets_around_what_is_in_the_image(tmp_path: Path, publisher: Publisher) -> None:
    inside = built(tmp_path / "image", publisher.public)
    other = Publisher(tmp_path / "image")
    copies = {"without": "", "with a key of one's own": other.public}
    for number, public in enumerate(copies.values()):
        copy = manifest.read(built(tmp_path / f"copy-{number}", public, name="mine"))
        chosen = settings.from_environment({"MODEL_LICENSE_PUBLIC_KEY": other.public})
        licensing = of_image(copy, inside, chosen, tmp_path)
        assert licensing is not None
        licensing.apply(publisher.key())  # still the key of the image's publisher, for the image's model
        with pytest.raises(LicenseError, match="not signed by this model's publisher"):
            licensing.apply(other.key("mine"))
    plain = settings.from_environment({})
    assert of_image(manifest.read(built(tmp_path / "free", "")), tmp_path / "no manifest", plain, tmp_path) is None


def test_one_job_without_a_server_needs_a_key_too(tmp_path: Path, publisher: Publisher) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("a\nx\n", encoding="utf-8")
    variables = {
        **os.environ,
        "MODEL_MANIFEST": str(built(tmp_path / "image", publisher.public)),
        "MODEL_SERVER_USER": f"{os.getuid()}:{os.getgid()}",
        "GAI_VOLUME_PATH": str(tmp_path / "data"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def run(**environment: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "model_server", "run", str(source), str(target)]
        ended = subprocess.run(command, env={**variables, **environment}, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stderr

    code, told = run()
    assert (code, "this model needs a license key: give one by MODEL_LICENSE_KEY" in told) == (1, True)
    assert run(MODEL_LICENSE_KEY=publisher.key("other model"))[0] == 1
    assert not target.exists()
    assert run(MODEL_LICENSE_KEY=publisher.key())[0] == 0
    assert target.read_text(encoding="utf-8") == "A\nX\n"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "license.gai_key").write_text(publisher.key(), encoding="ascii")
    assert run()[0] == 0
