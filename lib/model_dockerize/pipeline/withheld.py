"""Names secrets that a local test lacks."""

import re
from collections.abc import Iterable

from model_dockerize.settings import ServiceSettings


def remedy(service: ServiceSettings, evidence: Iterable[str]) -> str:
    """Return advice where a failed test names secrets."""
    lines = "\n".join(evidence)
    named = [name for name, _ in service.secrets if re.search(rf"\b{re.escape(name)}\b", lines)]
    if not named:
        return ""
    return (
        f"AWS gives {' and '.join(named)} to the service only, and this test ran without it: "
        "add --smoke-test service to test only there."
    )
