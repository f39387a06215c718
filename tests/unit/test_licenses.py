"""License keys as publishers make them: their claims, their end, and what is no key."""

import base64
import json
import stat
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model_dockerize import licenses
from model_dockerize.errors import InputError

NOW, LONG = 1_700_000_000.9, 40_000  # days, so that it ends long after these tests
NEW_KEY = "Make a pair with: model-dockerize license new-key FILE"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, str]:
    return tmp_path / "key.pem", licenses.make_pair(tmp_path / "key.pem")


def test_a_pair_belongs_together_and_only_its_owner_reads_it(pair: tuple[Path, str]) -> None:
    path, public = pair
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert base64.urlsafe_b64decode(public + "=") == raw
    assert (public, len(public)) == (licenses.public_text(key.public_key()), 43)


def test_a_key_is_never_overwritten(pair: tuple[Path, str]) -> None:
    before = pair[0].read_bytes()
    with pytest.raises(InputError) as refused:
        licenses.make_pair(pair[0])
    assert str(refused.value) == f"{pair[0]} is there already."
    assert refused.value.remedy == "Name another file: a key is never overwritten."
    assert pair[0].read_bytes() == before
    with pytest.raises(InputError) as refused:
        licenses.make_pair(pair[0] / "deeper")
    assert str(refused.value) == f"{pair[0]}/deeper cannot be written: Not a directory."
    assert refused.value.remedy == "Name another file."


def test_a_license_says_for_whom_and_until_when(pair: tuple[Path, str]) -> None:
    path, public = pair
    first, second = (licenses.issue(path, "iris", "Ann", "ann@x", LONG, NOW) for _ in range(2))
    assert jwt.get_unverified_header(first) == {"alg": "EdDSA", "typ": "JWT"}
    found = licenses.inspect(f" {first}\n", public)
    claims = dict(found.claims)
    assert len(str(claims.pop("jti"))) == 36
    assert claims == {
        **{"model": "iris", "name": "Ann", "email": "ann@x", "iat": 1_700_000_000, "exp": 5_156_000_000},
    }
    assert found.claims["jti"] != licenses.inspect(second, None).claims["jti"]
    told = json.loads(licenses.shown(found))
    assert told == {
        **found.claims,
        **{"iat": "2023-11-14T22:13:20Z", "exp": "2133-05-21T22:13:20Z", "problem": None},
    }


def test_without_a_time_a_license_begins_now(pair: tuple[Path, str]) -> None:
    claims: dict[str, Any] = dict(licenses.inspect(licenses.issue(pair[0], "iris", "", "", 1), pair[1]).claims)
    assert claims["exp"] - claims["iat"] == 86400
    assert claims["iat"] > 1_700_000_000


def test_a_license_that_does_not_hold_says_why(pair: tuple[Path, str], tmp_path: Path) -> None:
    old = licenses.issue(pair[0], "iris", "", "", 1, 1_000_000_000)
    fresh = licenses.issue(pair[0], "iris", "Jürgen", "", LONG, NOW)
    other = licenses.make_pair(tmp_path / "other.pem")
    assert licenses.inspect(old, pair[1]).problem == "it has expired"
    assert licenses.inspect(old, None).problem is None
    not_signed = "it is not signed by this publisher, or was changed"
    assert licenses.inspect(fresh, other).problem == not_signed
    assert licenses.inspect(fresh, f" {pair[1]} ").problem is None
    assert '"name": "Jürgen"' in licenses.shown(licenses.inspect(fresh, None))
    # As the model's server takes them: of a publisher whose clock is ahead, and with claims of his own.
    ahead = licenses.issue(pair[0], "iris", "", "", 1, time.time() + 3600)
    assert licenses.inspect(ahead, pair[1]).problem is None
    more = jwt.encode(
        {"model": "iris", "aud": "us", "sub": 7, "jti": 8, "nbf": 5e9, "exp": 6e9},
        pair[0].read_text(),
        algorithm="EdDSA",
    )
    assert licenses.inspect(more, pair[1]).problem is None
    weak = jwt.encode({"model": "iris"}, "x" * 32, algorithm="HS256")
    assert licenses.inspect(weak, pair[1]).problem == not_signed
    assert licenses.shown(licenses.Inspection({"iat": "soon", "exp": 0, "nbf": 0}, "p")) == (
        '{\n  "iat": "soon",\n  "exp": "1970-01-01T00:00:00Z",\n  "nbf": 0,\n  "problem": "p"\n}'
    )


def test_what_is_no_license_or_no_key_is_said_without_its_words(pair: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        licenses.inspect("a.b.c", None)
    assert str(refused.value) == "This is not a license key, or it is damaged."
    assert refused.value.remedy == "Ask its publisher for a new one."
    good = licenses.issue(pair[0], "iris", "", "", LONG, NOW)
    for text in ("AAAA", "a"):
        with pytest.raises(InputError) as refused:
            licenses.inspect(good, text)
        assert str(refused.value) == "The public key is not 32 bytes in base64url."
        assert refused.value.remedy == "Take what `model-dockerize license new-key` printed."
    rsa_key = rsa.generate_private_key(65537, 1024).private_bytes(  # noqa: S505 - it is refused for its kind
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "words").write_text("my words")
    (tmp_path / "rsa").write_bytes(rsa_key)
    for name, sentence in {
        "none": "cannot be read: No such file or directory.",
        "words": "is not a private key in PEM form without a password.",
        "rsa": "holds a key of another kind than Ed25519.",
    }.items():
        with pytest.raises(InputError) as refused:
            licenses.issue(tmp_path / name, "iris", "", "", 1)
        assert (str(refused.value), refused.value.remedy) == (f"{tmp_path / name} {sentence}", NEW_KEY)
