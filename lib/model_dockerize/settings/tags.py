"""Tags in AWS, as NAME=VALUE lines."""

import re

#: What every service takes. Source: IAM user guide, "Tags for AWS resources", and CloudFormation's `Tag`.
_NAME, _VALUE = re.compile(r"[\w .:/+@-]{1,128}"), re.compile(r"[\w .:/=+@-]{0,256}")
_OURS = "model-dockerize"
_MOST = 40  # of AWS's 50: we add some of our own


def read(text: str) -> tuple[tuple[str, str], ...]:
    """Read NAME=VALUE lines, else raise ValueError."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not (equals and _NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise ValueError(f"line {number} is not NAME=VALUE, of letters, digits, blanks and . : / = + - @ _")
        if name.lower().startswith(("aws:", _OURS)):
            raise ValueError(f"line {number}: names that begin with aws: or {_OURS} are taken")
        if name in found:
            raise ValueError(f"line {number}: that name stands there twice")
        found[name] = value
    if len(found) > _MOST:
        raise ValueError(f"there are {len(found)}, and AWS has room for {_MOST}")
    return tuple(found.items())
