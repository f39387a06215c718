"""Keys are given as they are or as a file; what is wrong with one is said without quoting it."""

from pathlib import Path

import pytest

from model_dockerize import licenses
from model_dockerize.errors import InputError
from model_dockerize.settings import Given, Settings, to_settings


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Make what the license command does, each in a file of its input's name, too."""
    made = {"license-public-key": licenses.make_pair(tmp_path / "publisher.pem")}
    made["license-key"] = licenses.issue(tmp_path / "publisher.pem", "iris", "Ann", "ann@example.com", 30)
    for name, text in made.items():
        (tmp_path / name).write_text(text + "\n")
    return made


def read(folder: Path, **given: str) -> Settings:
    names = {name.replace("_", "-"): text for name, text in given.items()}
    return to_settings([{name: Given(text, f"input {name}", folder) for name, text in names.items()}])


def refused(folder: Path, **given: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, **given)
    (detail,) = caught.value.details
    return detail


def test_as_they_are_and_as_files(tmp_path: Path, keys: dict[str, str]) -> None:
    for public, license_key in (
        (keys["license-public-key"], keys["license-key"]),
        ("license-public-key", "license-key"),
        (str(tmp_path / "license-public-key"), f" {tmp_path}/license-key\n"),
    ):
        settings = read(tmp_path, license_public_key=public, license_key=license_key)
        assert settings.program.license_public_key == keys["license-public-key"]
        assert settings.smoke.license_key == keys["license-key"]
    assert read(tmp_path).smoke.license_key == read(tmp_path).program.license_public_key == ""


def test_a_license_key_is_not_shown_with_the_settings(tmp_path: Path, keys: dict[str, str]) -> None:
    assert keys["license-key"] not in repr(read(tmp_path, license_key=keys["license-key"]))


@pytest.mark.parametrize(
    "damage", [lambda key: key[:-60] + "!", lambda key: key.replace(".", ""), lambda key: key * 200]
)
def test_a_damaged_key_is_not_quoted(tmp_path: Path, keys: dict[str, str], damage: object) -> None:
    damaged = damage(keys["license-key"])  # type: ignore[operator]
    said = refused(tmp_path, license_key=damaged)
    assert said == "input license-key: this is neither a license key nor a file that can be read; " + (
        "ask its publisher for a new one"
    )
    (tmp_path / "damaged").write_text(damaged)
    assert refused(tmp_path, license_key="damaged") == (
        f"input license-key: {tmp_path}/damaged is not a license key; ask its publisher for a new one"
    )


@pytest.mark.parametrize("name", ["license_public_key", "license_key"])
def test_the_private_key_in_its_place_is_named_for_what_it_is(tmp_path: Path, keys: dict[str, str], name: str) -> None:
    said = refused(tmp_path, **{name: "publisher.pem"})
    assert f"{tmp_path}/publisher.pem holds a private key, which stays with its publisher" in said
    assert (tmp_path / "publisher.pem").read_text().splitlines()[1] not in said


@pytest.mark.parametrize("text", ["nowhere", "~nobody-has-this-name/x", "a\x00b", ".", "\u00e9" * 43])
def test_what_is_no_public_key(tmp_path: Path, text: str) -> None:
    assert "neither a public key nor a file" in refused(tmp_path, license_public_key=text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("linux/amd64,linux/arm64", "one run makes the image for one platform"),
        ("windows/amd64", "linux/amd64 or linux/arm64"),
        ("linux/arm/v7", "linux/amd64 or linux/arm64"),
        ("arm64", "linux/amd64 or linux/arm64"),
    ],
)
def test_platforms_that_are_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, platforms=text)
