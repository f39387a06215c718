"""EC2's documented characters of the texts of security groups: a judge of what the suite sends.

Source: API reference of EC2, `CreateSecurityGroup` and `IpRange`: "a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*",
up to 255 of them. botocore's model and cfn-lint (for rules within a group) do not look.
"""

import re
from collections.abc import Iterator
from typing import Any

_ALLOWED = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_TEXTS = ("Description", "GroupDescription", "GroupName")


def refused(parameters: Any) -> list[str]:
    """Return the texts anywhere in `parameters` that EC2 would refuse."""
    return [text for text in _texts(parameters) if not _ALLOWED.fullmatch(text)]


def judge(params: Any, model: Any, **_: Any) -> None:
    """Fail the test whose request EC2 would refuse; for botocore's event `provide-client-params`."""
    if model.service_model.service_name == "ec2" and "SecurityGroup" in model.name:
        assert not refused(params), f"EC2 refuses in {model.name}: {refused(params)}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (found for key, found in value.items() if key in _TEXTS and isinstance(found, str))
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
