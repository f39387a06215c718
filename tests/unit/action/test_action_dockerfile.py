"""The Action's image leaves out what is never used: that must stay true of the code."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_aws_service_that_is_called_is_in_the_image() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lib/model_dockerize").rglob("*.py"))
    called = set(re.findall(r"""client\(\s*["']([a-z0-9-]+)["']""", code))
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    kept = set(re.findall(r"! -name (\S+)", dockerfile))
    assert "sts" in called
    assert called == kept
