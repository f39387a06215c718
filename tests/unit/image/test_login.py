"""A login for a build: there for buildx, gone afterwards, and nothing of the user's touched."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from model_dockerize.errors import EngineError
from model_dockerize.image import RegistryAuth, signed_in
from tests.unit.image.test_build_argv import ENGINE

AUTH = RegistryAuth("AWS", "a-password", "r.example")


def test_a_login_beside_what_the_user_has(tmp_path: Path) -> None:
    (tmp_path / "contexts").mkdir()
    own = '{"credsStore": "desktop", "auths": {"other.example": {}}, "credHelpers": {"other.example": "x"}}'
    (tmp_path / "config.json").write_text(own)
    engine = replace(ENGINE, environment={"DOCKER_CONFIG": str(tmp_path)})
    with signed_in(engine, AUTH) as builder:
        folder = Path(builder.environment["DOCKER_CONFIG"])
        assert folder.stat().st_mode & 0o077 == 0
        assert (folder / "config.json").stat().st_mode & 0o077 == 0
        assert (folder / "contexts").resolve() == tmp_path / "contexts"
        found = json.loads((folder / "config.json").read_text())
        assert base64.b64decode(found["auths"]["r.example"]["auth"]) == b"AWS:a-password"
        assert set(found["auths"]) == set(found["credHelpers"]) == {"other.example", "r.example"}
        assert found["credHelpers"]["r.example"] == ""
        assert found["credsStore"] == "desktop"
    assert not folder.exists()
    assert (tmp_path / "config.json").read_text() == own
    assert (tmp_path / "contexts").is_dir()


def test_without_any_configuration(tmp_path: Path) -> None:
    with signed_in(replace(ENGINE, environment={"HOME": str(tmp_path)}), AUTH) as builder:
        assert "r.example" in (Path(builder.environment["DOCKER_CONFIG"]) / "config.json").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_is_broken_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with (
        pytest.raises(EngineError, match=r"config\.json cannot be read"),
        signed_in(replace(ENGINE, environment={"DOCKER_CONFIG": str(tmp_path)}), AUTH),
    ):
        pass
