"""The tags of what is made in AWS: NAME=VALUE lines."""

import re

#: What every service takes. Source: IAM user guide, "Tags for AWS resources", and CloudFormation's `Tag`.
_NAME, _VALUE = re.compile(r"[\w .:/+@-]{1,128}"), re.compile(r"[\w .:/=+@-]{0,256}")
_OURS = "model-dockerize"
_MOST = 40  # of AWS's 50: we add some of our own


def read(text: str) -> tuple[tuple[str, str], ...]:
    """Return the NAME=VALUE lines of `text`, without blank ones.

    Raises:
        ValueError: a line is none, a name stands there twice or is not ours to give, or there are too many.
    """
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
