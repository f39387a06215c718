"""Reads AwsConfig.ini, only when AWS is asked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model_dockerize.compat.ini import Ini, read_ini
from model_dockerize.errors import InputError
from model_dockerize.patterns import ACCOUNT, REGION, Pattern

_KEYS = ("region", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_id")
#: What else in the environment would decide whose credentials are used.
_OTHERS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


@dataclass(frozen=True)
class AwsConfig:
    """AwsConfig.ini; without keys, credentials are found as usual."""

    path: Path
    region: str
    account: str  # 12 digits
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    def applied_to(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment with the file's keys alone, or unchanged."""
        if not self.access_key:
            return dict(environment)
        kept = {name: text for name, text in environment.items() if name not in _OTHERS}
        keys = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return {**kept, **keys, **({"AWS_SESSION_TOKEN": self.token} if self.token else {})}


def read_aws_config(path: Path) -> AwsConfig:
    """Read the file.

    Raises:
        InputError: `details` names each wrong value, but no secret.
    """
    ini = read_ini(path, {"aws": _KEYS})
    problems = [f"{where}: {problem}" for where, problem in ini.unknown]
    problems += [*_shape(ini, "region", REGION)]
    problems += [*_shape(ini, "aws_id", ACCOUNT)]
    key, secret = (ini.get("aws", name) for name in ("aws_access_key_id", "aws_secret_access_key"))
    if bool(key.text) != bool(secret.text):
        empty, other = (key, "aws_secret_access_key") if secret.text else (secret, "aws_access_key_id")
        problems.append(f"{empty.where}: it is missing or empty, but {other} is there")
    for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
        entry = ini.get("aws", name)
        if re.search(r"[^\x21-\x7e]", entry.text):
            problems.append(f"{entry.where}: it must be one word of plain letters, digits and signs")
    if problems:
        raise InputError(f"{path} is not right.", "Correct what is listed and run again.", tuple(problems))
    texts = {name: ini.get("aws", name).text for name in _KEYS}
    return AwsConfig(
        path=path,
        region=texts["region"],
        account=texts["aws_id"],
        access_key=texts["aws_access_key_id"],
        secret_key=texts["aws_secret_access_key"],
        token=texts["aws_session_token"],
    )


def _shape(ini: Ini, name: str, form: Pattern) -> list[str]:
    entry = ini.get("aws", name)
    if not entry.text:
        return [f"{entry.where}: it is missing or empty; it must be {form.meaning}"]
    return [] if form.regex.fullmatch(entry.text) else [f"{entry.where}: {entry.text!r} is not {form.meaning}"]
