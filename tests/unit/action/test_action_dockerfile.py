"""Hold the bases of the Dockerfile, and that the code needs nothing of what the Action's image leaves out."""

import re
from pathlib import Path

from machine.base_image import STAND_INS

ROOT = Path(__file__).resolve().parents[3]


def test_every_aws_service_that_is_called_is_in_the_image() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lib/model_dockerize").rglob("*.py"))
    called = set(re.findall(r"""client\(\s*["']([a-z0-9-]+)["']""", code))
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    kept = set(re.findall(r"! -name (\S+)", dockerfile))
    assert "sts" in called
    assert called == kept


def test_every_base_image_names_its_debian_release() -> None:
    """Compare them with those that we can make where no registry is; a release stays when Docker Hub moves a tag."""
    defaults = re.findall(r"^ARG \w+_BASE=(.+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(defaults) == 2
    others = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("bases/*.Dockerfile")]
    others.append((ROOT / "scripts/test").read_text(encoding="utf-8"))
    named = re.findall(r"\bpython:3[\w.-]*", "\n".join(others))
    assert len(named) >= 12
    assert {*defaults, *named} <= STAND_INS.keys()
    assert all(image.endswith(f"-slim-{recipe.release}") for image, recipe in STAND_INS.items())
