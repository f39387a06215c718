"""API keys, sessions and links to the letter, license keys, and what the sample shows."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from model_server import bounds, example, license_key, manifest, settings
from model_server import license as licenses
from model_server.access import Access, Keys
from model_server.errors import LicenseError, StartError
from model_server.license import License, Licensing
from tests.functional.server.conftest import manifest_text

OWNER, ANN = "owner-0123456789abcdef", "ann-0123456789abcdef"
NOW = 1_700_000_000.5
SESSION = "1700028800.64f46fafaf63ca56cb242a1cdaa75090c54b62aaf49483e15a946c3c09faa2f1"


def keys(clock: Callable[[], float] = lambda: NOW, model: str = "m") -> Keys:
    return Keys({"MODEL_API_KEY": OWNER, "MODEL_API_KEY_ANN_2": ANN}, model, clock)


def test_without_more_any_host_and_the_probes_are_answered() -> None:
    probes = ("/health", "/ready", "/ping", "/v2/health/live", "/v2/health/ready")
    assert Access() == Access(None, (), probes, True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"MODEL_API_KEY": " "}, "MODEL_API_KEY is set and holds no key"),
        ({"MODEL_API_KEY": "x" * 15}, "MODEL_API_KEY holds a key that is not 16 to 256 printable ASCII characters"),
        ({"MODEL_API_KEY": "x" * 257}, "MODEL_API_KEY holds a key that is not 16 to 256 printable ASCII characters"),
        ({"MODEL_API_KEYS": OWNER}, "MODEL_API_KEYS must be MODEL_API_KEY_NAME, with a name of A-Z, 0-9 and _"),
        ({"MODEL_API_KEY_A": OWNER, "MODEL_API_KEY_B": f"{ANN} {OWNER}"}, "two of the API keys are the same"),
        (
            {"MODEL_API_KEY_B": "", "MODEL_API_KEY_A": "short"},
            "MODEL_API_KEY_A holds a key that is not 16 to 256 printable ASCII characters; "
            "MODEL_API_KEY_B is set and holds no key",
        ),
    ],
)
def test_wrong_keys_are_told_without_a_key(given: dict[str, str], told: str) -> None:
    with pytest.raises(StartError) as caught:
        Keys(given, "m")
    assert str(caught.value) == f"wrong settings: {told}"


def test_keys_just_long_and_short_enough_are_taken() -> None:
    given = {"MODEL_API_KEY": f"{'x' * 16} {'y' * 256}", f"MODEL_API_KEY_{'A' * 40}": "z" * 16}
    found = Keys(given, "m")
    assert [found.holder_of(key * count) is not None for key, count in (("x", 16), ("y", 256), ("z", 16))] == [True] * 3


def test_of_two_holders_each_has_its_own_key() -> None:
    found = keys()
    owner, ann = found.holder_of(OWNER), found.holder_of(ANN)
    assert owner is not None
    assert ann is not None
    assert (owner.client, ann.client) == (None, "ann_2")
    assert found.holder_of("another-0123456789") is None
    assert len({owner.digest, owner.signing, ann.digest, ann.signing}) == 4
    assert owner.digest.hex()[:16] not in repr(owner)


@pytest.mark.parametrize(("seconds", "what"), [(28800, ""), (900, "job")])
def test_a_session_and_a_link_hold_for_their_time_and_purpose(seconds: int, what: str) -> None:
    now = [NOW]
    found = keys(lambda: now[0])
    ann = found.holder_of(ANN)
    assert ann is not None
    text = found.link(ann, what) if what else found.session(ann)
    assert text.startswith(f"{1_700_000_000 + seconds}.")

    def opens(shown: str = text, by: Keys = found) -> Any:
        return by.holder_of_link(shown, what) if what else by.holder_of_session(shown)

    assert opens() == ann
    assert opens(by=keys(lambda: now[0], "another model")) is None
    assert found.holder_of_link(text, "other") is None
    assert found.holder_of_link(text, "") is None
    assert (found.holder_of_session(text) is None) is bool(what)
    later = f"{int(text.partition('.')[0]) + 1}{text[10:]}"
    for forged in (later, text[:-1] + ("0" if text[-1] != "0" else "1"), text[:-1], f"x{text}", ""):
        assert opens(forged) is None
    now[0] = 1_700_000_000 + seconds - 0.5
    assert opens() == ann
    now[0] += 0.5
    assert opens() is None


def test_a_session_of_one_server_is_known_to_those_of_other_versions() -> None:
    found = keys()
    ann = found.holder_of(ANN)
    assert ann is not None
    assert found.session(ann) == SESSION


@pytest.fixture(scope="module")
def signing() -> SigningKey:
    return SigningKey(bytes(range(32)))


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def public(signing: SigningKey) -> str:
    return part(bytes(signing.verify_key))


CLAIMS = {"model": "m", "name": "Ann", "email": "ann@x", "exp": 1_700_000_000}


def key(signing: SigningKey, claims: Any = None, **changes: Any) -> str:
    head = part(json.dumps({"alg": "EdDSA", "typ": "JWT"}).encode())
    given = {**CLAIMS, **changes} if claims is None else claims
    text = f"{head}.{part(json.dumps(given).encode())}"
    return f"{text}.{part(signing.sign(text.encode()).signature)}"


def licensing(signing: SigningKey, folder: Path, given: str = "", now: float = 1_699_999_999.0) -> Licensing:
    return Licensing(public(signing), "m", folder, given, lambda: now)


def test_a_key_is_kept_on_the_volume_and_counts_before_the_one_that_is_given(
    signing: SigningKey, tmp_path: Path
) -> None:
    first = licensing(signing, tmp_path, key(signing, name="given"))
    assert str(first.current()) == "Licensed To: given - ann@x, Expires:Tuesday, 14 November 2023 22:13:20 (UTC)"
    found = first.apply(f" {key(signing)} \n")
    assert found == License("Ann", "ann@x", 1_700_000_000)
    (kept,) = tmp_path.iterdir()
    assert (kept.name, kept.read_text(encoding="ascii")) == ("license.gai_key", key(signing))
    assert first.current() == found
    assert first.problem() is None
    kept.write_bytes(b"\xff")
    assert first.current() == License("given", "ann@x", 1_700_000_000)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "other"}, "the license key is for the model 'other', this is 'm'"),
        ({"name": 1}, "the license key does not say who it is for"),
        ({"email": None}, "the license key does not say who it is for"),
        ({"exp": "1"}, "the license key does not say how long it holds"),
        ({"exp": -1}, "the license key does not say how long it holds"),
        ({"exp": 253402300800}, "the license key does not say how long it holds"),
        ({"exp": 1_699_999_999}, "the license key expired on Tuesday, 14 November 2023 22:13:19 (UTC)"),
        ({"claims": [1]}, "this is not a license key, or it is damaged"),
    ],
)
def test_a_key_that_does_not_fit_is_told_and_the_stored_one_stays(
    signing: SigningKey, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    one = licensing(signing, tmp_path)
    one.apply(key(signing))
    with pytest.raises(LicenseError) as caught:
        one.apply(key(signing, **changes))
    assert str(caught.value) == told
    assert one.current() == License("Ann", "ann@x", 1_700_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["license.gai_key"]


def test_keys_at_the_edges_of_time_are_taken(signing: SigningKey, tmp_path: Path) -> None:
    for expires in (0, 253402300799):
        assert Licensing(public(signing), "m", tmp_path, "", lambda: -1.0).apply(key(signing, exp=expires))
    assert str(License("a", "b", 253402300799)).endswith("Expires:Friday, 31 December 9999 23:59:59 (UTC)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x", "this is not a license key, or it is damaged"),
        ("x" * 65537, "this is not a license key: it is too long"),
        ("x" * 65536, "this is not a license key, or it is damaged"),
    ],
)
def test_what_is_no_key_is_told(signing: SigningKey, tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(LicenseError) as caught:
        licensing(signing, tmp_path).apply(text)
    assert str(caught.value) == told


def test_a_key_of_another_publisher_is_told(signing: SigningKey, tmp_path: Path) -> None:
    with pytest.raises(LicenseError) as caught:
        licensing(signing, tmp_path).apply(key(SigningKey(bytes(32))))
    assert str(caught.value) == "the license key is not signed by this model's publisher, or was changed"


def test_a_problem_is_that_there_is_none_or_that_it_is_over(signing: SigningKey, tmp_path: Path) -> None:
    assert licensing(signing, tmp_path).problem() == "this model needs a license key"
    assert licensing(signing, tmp_path, key(signing), 1_700_000_000.0).problem() == (
        "the license key expired on Tuesday, 14 November 2023 22:13:20 (UTC)"
    )


def test_a_public_key_is_32_bytes() -> None:
    assert license_key.read_public_key(f" {part(bytes(range(32)))} ") == bytes(range(32))
    for wrong in (part(bytes(31)), part(bytes(33)), "x", "é"):
        with pytest.raises(StartError) as caught:
            license_key.read_public_key(wrong)
        assert str(caught.value) == (
            "the license public key is not 32 bytes in base64url; `model-dockerize license new-key` prints one"
        )


def test_the_key_of_the_image_counts_before_that_of_the_environment(signing: SigningKey, tmp_path: Path) -> None:
    plain = manifest.parse(manifest_text(tmp_path))
    image = tmp_path / "image.json"
    none, mine, others = "", public(signing), public(SigningKey(bytes(32)))

    def found(own: str, given: str, built: str | None) -> tuple[bytes, str] | None:
        if built is None:
            image.unlink(missing_ok=True)
        else:
            image.write_text(manifest_text(tmp_path, name="built", license_public_key=built), encoding="utf-8")
        chosen = settings.from_environment({"MODEL_LICENSE_PUBLIC_KEY": given, "MODEL_LICENSE_KEY": "k"})
        made = licenses.of_image(replace(plain, license_public_key=own), image, chosen, tmp_path)
        if made is None:
            return None
        assert (made._given, made._path) == ("k", tmp_path / "license.gai_key")
        return made._key, made._model

    ours = bytes(signing.verify_key)
    assert found(none, none, None) is None
    assert found(none, none, none) is None
    assert found(mine, none, None) == (ours, "upper")
    assert found(none, mine, None) == (ours, "upper")
    assert found(mine, others, None) == (ours, "upper")
    assert found(others, others, mine) == (ours, "built")
    assert found(mine, others, none) == (ours, "upper")


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (b"a\tb\n1\t2\n", "a\tb\n1\t2"),
        (b"1\n2\n3\n4", "1\n2\n3\n4"),
        (b"1\n2\n3\n4\n5", "1\n2\n3\n4\n…"),
        (b"x" * 1000, "x" * 1000),
        (b"x" * 1001, "x" * 1000 + "\n…"),
        (b"a\x00b", ""),
        (b"\xff\xfe\xfd", ""),
        (b"", ""),
        ("ä\n".encode(), "ä"),
        (b"1\n2\n3\n4\n\x00", "1\n2\n3\n4\n…"),
    ],
)
def test_of_a_sample_the_first_lines_are_shown(head: bytes, shown: str) -> None:
    assert example._shown(head) == shown


LONG = "x" * bounds.PATH_CHARACTERS


@pytest.mark.parametrize(
    ("kind", "text", "names"),
    [
        ("text/csv; header=present", "a,b,,a\n1,2,3,4\n", ("a", "b")),
        ("text/csv; header=present", f"{LONG},{LONG}y\n1,2\n", (LONG,)),
        ("text/csv; header=absent", "a,b\n", ()),
        ("application/json", '[{"a": 1, "b/c": 2}, {"d[0]": 1, "e": 2, "a": 3}, 5]', ("a", "e")),
        ("application/json", json.dumps([{f"k{n}": 1} for n in range(25)]), tuple(f"k{n}" for n in range(20))),
        ("application/json", "nonsense", ()),
        ("image/png", "a,b\n", ()),
    ],
)
def test_of_a_sample_the_names_are_shown(tmp_path: Path, kind: str, text: str, names: tuple[str, ...]) -> None:
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep/in.csv"
    path.write_text(text, encoding="utf-8")
    model = manifest.parse(manifest_text(tmp_path, input_types=[kind], sample="deep/in.csv"))
    found = example.with_example(model).example
    assert found is not None
    assert (found.path, found.name, found.names) == (path, "in.csv", names)


def test_names_are_as_many_as_a_mapping_has_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "RULES", 2)
    (tmp_path / "in").write_text("a,b,c\n", encoding="utf-8")
    model = manifest.parse(manifest_text(tmp_path, sample="in"))
    found = example.with_example(model).example
    assert found is not None
    assert found.names == ("a", "b")


def test_a_sample_is_read_so_far_and_one_that_is_not_there_shows_nothing(tmp_path: Path) -> None:
    none = manifest.parse(manifest_text(tmp_path))
    gone = manifest.parse(manifest_text(tmp_path, sample="gone"))
    assert (example.with_example(none), example.with_example(gone)) == (none, gone)
    (tmp_path / "in").write_bytes(b"x" * 999 + b"\n" + b"y" * (64 * 1024 - 1000) + b"\xff")
    found = example.with_example(manifest.parse(manifest_text(tmp_path, sample="in"))).example
    assert found is not None
    assert found.head == "x" * 999 + "\n\n…"
