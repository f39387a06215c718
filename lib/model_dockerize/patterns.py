"""Forms of names and ids, as patterns and in words."""

import re
import shlex
from typing import NamedTuple
from urllib.parse import urlsplit

#: The name of an image archive's file.
ARCHIVE = re.compile(r"\.(tar(\.(gz|zst))?|tgz|tzst)$", re.IGNORECASE)


#: An ARN, and the name in it: of arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME the last, without a revision.
_ARN = re.compile(r"arn:(?:[^:]*:){4}(?:[^:/]+[:/](?:.*/)?)?(?P<name>[^/:]+)(?::[0-9]+)?")


class Pattern(NamedTuple):
    """A form of a whole text; as a rule, it says what is wrong."""

    regex: re.Pattern[str]
    meaning: str  # "a region like eu-central-1"
    is_lower: bool = False  # a lower-case name, of which the nearest can be told

    def __call__(self, text: str) -> str:
        if self.regex.fullmatch(text):
            return ""
        if arn := _ARN.fullmatch(text):
            near = arn["name"]
        else:
            near = re.sub(r"[^a-z0-9/]+", "-", text.lower()).strip("-/") if self.is_lower else ""
        meant = f". Did you mean {near}?" if near and self.regex.fullmatch(near) else ""
        return f"{text!r} is not valid: {self.meaning}{meant}"


def pattern(regex: str, meaning: str, is_lower: bool = False) -> Pattern:
    return Pattern(re.compile(regex), meaning, is_lower)


def server_address(text: str) -> str:
    """Say what is wrong with a server's address, else ""."""
    try:
        place = urlsplit(text)
        is_address = bool(place.scheme in ("http", "https") and place.hostname) and place.port != 0
    except ValueError:  # a bracket that nothing closes, a port above 65535
        is_address = False
    is_whole = not re.search(r"\s", text)
    return "" if is_address and is_whole else f"{text!r} is not valid: an http:// or https:// address"


def command_line(text: str) -> str:
    """Say what is wrong with a command, else ""."""
    try:
        words = shlex.split(text)
    except ValueError as error:  # a quotation mark that nothing closes
        return f"{text!r} is not a command: {error}"
    return "" if words and words[0] else f"{text!r} is not a command: it names no program"


def _name(most: int) -> Pattern:
    return pattern(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{most - 1}}}", f"letters, digits, _ and - (at most {most})")


# The reference grammar of container registries (distribution/reference): a name without a registry's host, and a tag.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}"
IMAGE_NAME = pattern(
    rf"(?=.{{1,255}}\Z){_PATH}", "lower-case letters, digits and single . _ - or / between them (at most 255)", True
)
TAG = pattern(_TAG, "letters, digits, . _ - (at most 128, not starting with . or -)")
REFERENCE = pattern(rf"(?:{_HOST}/)?{_PATH}(?::{_TAG})?(?:@{_DIGEST})?", "an image like python:3.13-slim")

REPOSITORY = pattern(
    rf"(?=.{{2,256}}\Z){_PATH}", "2 to 256 lower-case letters, digits and single . _ - or / between them", True
)
# Debian policy 5.6.1; apt's architecture and version.
DEBIAN_PACKAGE = pattern(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?", "a Debian package like libgomp1")
REGION = pattern(r"[a-z]{2,4}(-[a-z]+)+-[0-9]", "a region like eu-central-1")
ACCOUNT = pattern(r"[0-9]{12}", "the account's 12 digits")
BATCH_NAME = _name(128)
ECS_NAME = _name(255)
SUBNET = pattern(r"subnet-[0-9a-f]+", "an id like subnet-0123abcd")
SECURITY_GROUP = pattern(r"sg-[0-9a-f]+", "an id like sg-0123abcd")
VPC = pattern(r"vpc-[0-9a-f]+", "an id like vpc-0123abcd")
