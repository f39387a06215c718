"""From texts to the settings tree: every value parsed and checked, every problem told at once.

A source (flags, Action inputs, a YAML file) only has to say what was given and where; this module knows the rest.
"""

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from model_dockerize.errors import InputError
from model_dockerize.settings import access, placement, precedence, tags, traffic, variables
from model_dockerize.settings.aws_config import REGION
from model_dockerize.settings.batch_file import FOR_DEFINITION, BatchFile, read_batch_file
from model_dockerize.settings.declaration import BY_NAME, OPTIONS, Kind, Option
from model_dockerize.settings.fargate import is_sold, memories, nearest
from model_dockerize.settings.given import Given
from model_dockerize.settings.keys import read_key
from model_dockerize.settings.nearest import did_you_mean
from model_dockerize.settings.tree import (
    AwsSettings,
    BatchSettings,
    ImageSettings,
    ProgramSettings,
    RegistrySettings,
    RunSettings,
    ServiceSettings,
    Settings,
    SmokeSettings,
)

# Docker's reference grammar (distribution/reference) for one name without a registry host, and for a tag.
IMAGE_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

#: How references to images of ECR begin.
_REGISTRY = re.compile(r"[0-9]{12}\.dkr[.-]ecr[.-]")
_MAY_BE_ZERO = (
    *("desired-count", "gpus", "load-balancer-port", "max-count", "queue-priority", "retention-days", "run-number"),
)
#: Checked elsewhere, because a message would repeat what may be a secret.
_NOT_REPEATED = ("queue-url", "api-key")
#: The word that takes away what an input once said. An empty value counts as not given.
ENDS = "none"
#: May hold what is nobody else's business, so notes name them without their value.
_NOT_NOTED = ("queue-url", "api-key", "license-key", "smoke-api-key", "environment", "secrets")
_log = logging.getLogger(__name__)


class _InvalidValueError(ValueError):
    """A value that cannot be read; the text says what would be right."""


def to_settings(layers: Iterable[Mapping[str, Given]]) -> Settings:
    """Merge the layers (later ones win), parse and check everything.

    Raises:
        InputError: with one line a problem in `details`, unknown names included.
    """
    given, order = precedence.merged(layers)
    for name, value in given.items():
        shown = name in BY_NAME and name not in _NOT_NOTED
        _log.debug("%s%s (%s)", name, f" = {value.text!r}" if shown else "", value.where)
    problems = [_unknown(name, value) for name, value in given.items() if name not in BY_NAME]
    parsed: dict[str, Any] = {}
    for option in OPTIONS:
        value = given.get(option.name, Given(option.default, "the default", Path.cwd()))
        try:
            parsed[option.name] = _parse(option, value)
        except _InvalidValueError as invalid:
            named = "" if value.where.replace("_", "-").endswith(option.name) else f"{option.name}: "
            problems.append(f"{value.where}: {named}{invalid}")
            parsed[option.name] = None
    file = _batch_file(parsed, problems)
    notes = _overrule(parsed, given, order, file)
    problems += _contradictions(parsed, given, file)
    if problems:
        count = "One input is" if len(problems) == 1 else f"{len(problems)} inputs are"
        raise InputError(f"{count} wrong.", "Correct what is listed and run again.", tuple(problems))
    return _tree(parsed, given, file, notes)


def _overrule(
    parsed: dict[str, Any], given: Mapping[str, Given], order: Mapping[str, int], file: BatchFile | None
) -> tuple[str, ...]:
    """Switch off in `parsed` what a later `false` overrules; return a note for each."""
    found = precedence.overruled(parsed, order, ("create-job-def",) if _names_its_image(parsed, file) else ())
    for name in found:
        parsed[name] = False if BY_NAME[name].kind is Kind.FLAG else ""
    return tuple(f"{given[name].where}: {name} is left out, because {needed} is off." for name, needed in found.items())


def _names_its_image(parsed: Mapping[str, Any], file: BatchFile | None) -> bool:
    """Tell whether the job definition needs no push: a BatchConfig.yml names an image that is in ECR already."""
    return bool(parsed["batch-config-file"]) and (not file or bool(file.job_definition and file.job_definition.image))


def _unknown(name: str, value: Given) -> str:
    if name == value.where:  # its source has words of its own for this
        return f"{value.where}: {value.problem}"
    return f"{value.where}: there is no input named {name!r}.{did_you_mean(name, BY_NAME)}"


def _batch_file(parsed: Mapping[str, Any], problems: list[str]) -> BatchFile | None:
    """Read what batch-config-file says of the job definition, where one is asked for."""
    asked = parsed["push-to-ecr"] if parsed["create-job-def"] is None else parsed["create-job-def"]
    if not asked or not parsed["batch-config-file"]:
        return None
    try:
        return read_batch_file(parsed["batch-config-file"], FOR_DEFINITION)
    except InputError as error:
        problems += error.details or (str(error),)
        return None


def _parse(option: Option, value: Given) -> Any:
    if value.problem:
        raise _InvalidValueError(value.problem)
    if value.source not in option.sources:
        raise _InvalidValueError("a file of the folder may not set it; use the flag, or the input of the step")
    text = value.text.strip()
    if option.may_end and text == ENDS:
        text = ""
    match option.kind:
        case Kind.FLAG:
            return _flag(text, option.words) if text else None
        case Kind.INTEGER | Kind.SECONDS:
            return None if not text and not option.default else _integer(text, 0 if option.name in _MAY_BE_ZERO else 1)
        case Kind.LIST:
            words = tuple(word for word in re.split(r"[\s,]+", text) if word)
            for word in words if option.name not in _NOT_REPEATED else ():
                _check_text(option, word)
            return words
        case Kind.PAIRS | Kind.KEY:
            return _read(option, text, value)
        case Kind.PATH:
            _check_one_line(text)
            return _path(value) if text else None
        case Kind.TEXT:
            if option.name not in _NOT_REPEATED:
                _check_text(option, text)
            return text


def _flag(text: str, words: tuple[str, ...]) -> bool | str:
    if text.lower() in words:
        return text.lower()
    if text.lower() not in ("true", "false"):
        others = f", nor {' or '.join(words)}" if words else ""
        raise _InvalidValueError(f"{text!r} is neither true nor false{others}")
    return text.lower() == "true"


def _integer(text: str, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise _InvalidValueError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


def _path(value: Given) -> Path:
    try:
        return value.path()
    except ValueError as error:
        raise _InvalidValueError(str(error)) from error


def feeds_itself(source: str, output: str) -> bool:
    """Tell whether a file written to `output` (s3://BUCKET/KEY) arrives in `source` (BUCKET[/PREFIX]) again."""
    bucket, _, prefix = source.partition("/")
    to, _, key = output.removeprefix("s3://").partition("/")
    # What stands for the file's name may be anything.
    known = key.partition("{name}")[0]
    is_under = known.startswith(prefix) or ("{name}" in key and prefix.startswith(known))
    return bool(source) and output.startswith("s3://") and to == bucket and is_under


def _read(option: Option, text: str, value: Given) -> Any:
    """Read values that have a module of their own. Its errors quote nothing secret, and here nothing is added."""
    try:
        if option.name == "tags":
            return tags.read(text)
        if option.kind is Kind.PAIRS:
            return variables.pairs(text)
        return read_key(option.name, text, value) if text else ""
    except ValueError as error:
        raise _InvalidValueError(str(error)) from None


# What makes an image, and has no effect on one that is finished.
_BUILDING = (
    "requirements-file",
    "extras",
    "dependency-groups",
    "init-file",
    "base-image",
    "python-version",
    "command",
    "runner-mode",
    "system-packages",
    "archive",
    "provenance",
)


def _finished(parsed: Mapping[str, Any], given: Mapping[str, Given]) -> list[str]:
    """List the inputs that a user of from-archive would believe in, and that nobody would read."""
    if not parsed["from-archive"]:
        return []
    return [
        f"{given[name].where}: {name} is of no effect on the finished image of from-archive"
        for name in _BUILDING
        if name in given and parsed[name]
    ]


# The names of PEP 685 and PEP 735.
_OPTIONAL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
# What a text (or one word of a list) must look like, and how to say so. Without an entry: anything on one line.
_PATTERNS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "image-name": (IMAGE_NAME, "lower-case letters, digits and single . _ - or / between them"),
    "image-version": (TAG, "letters, digits, . _ - (at most 128, not starting with . or -)"),
    "version": (TAG, "letters, digits, . _ - (at most 128, not starting with . or -)"),
    "repository": (
        re.compile(r"(?=.{2,256}\Z)" + IMAGE_NAME.pattern),
        "2 to 256 lower-case letters, digits and single . _ - or / between them",
    ),
    "python-version": (re.compile(r"3\.[0-9]{1,2}(\.[0-9]{1,2})?"), "a version like 3.13"),
    "aws-region": (REGION, "a region like eu-central-1"),
    "aws-account-id": (re.compile(r"[0-9]{12}"), "12 digits"),
    "job-definition-name": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"), "letters, digits, _ and - (at most 128)"),
    "cache": (re.compile("auto|registry|gha|inline|none"), "auto, registry, gha, inline or none"),
    "job-queue": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"), "letters, digits, _ and - (at most 128)"),
    "compute-environment": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"), "letters, digits, _ and - (at most 128)"),
    "update-function": (re.compile(r"[A-Za-z0-9_-]{1,64}"), "letters, digits, _ and - (at most 64)"),
    "function-source": (
        re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?"),
        "a bucket, or BUCKET/PREFIX, without s3://",
    ),
    "scan-gate": (re.compile(r"CRITICAL|HIGH|MEDIUM|LOW"), "CRITICAL, HIGH, MEDIUM or LOW"),
    "role-to-assume": (re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+"), "arn:aws:iam::123456789012:role/NAME"),
    "permissions-boundary": (re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/\S+"), "the ARN of an IAM policy"),
    "compute-type": (re.compile(r"FARGATE|FARGATE_SPOT|EC2|SPOT"), "FARGATE, FARGATE_SPOT, EC2 or SPOT"),
    "instance-types": (re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)?"), "a type or family like g5.xlarge or c7i"),
    "cluster": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"), "letters, digits, _ and - (at most 255)"),
    "service": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"), "letters, digits, _ and - (at most 255)"),
    "task-definition": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"), "letters, digits, _ and - (at most 255)"),
    "platforms": (re.compile(r"linux/(amd64|arm64)"), "linux/amd64 or linux/arm64"),
    "load-balancer": (
        re.compile(r"true|false|[A-Za-z0-9-]{1,32}|arn:aws[a-z-]*:elasticloadbalancing:\S+:loadbalancer/app/\S+"),
        "true, false, or the name or ARN of an application load balancer",
    ),
    "certificate": (
        re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+"),
        "the ARN of a certificate in ACM",
    ),
    "runner-mode": (re.compile("auto|command|warm|resident"), "auto, command, warm or resident"),
    "on-cancel": (re.compile(r"leave|rollback"), "leave or rollback"),
    "extras": (_OPTIONAL, "a name like plots"),
    "dependency-groups": (_OPTIONAL, "a name like serve"),
    # Debian policy 5.6.1, and an optional =version.
    "torch-index": (re.compile(r"https://[^\s@\"'\\$]+"), "an https address without credentials"),
    "system-packages": (re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?"), "a Debian package like libgomp1"),
    "allowed-hosts": (
        re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"),
        "a host name or address without a port, like models.example.com",
    ),
    "subnets": (re.compile(r"subnet-[0-9a-f]+"), "an id like subnet-0123abcd"),
    "security-groups": (re.compile(r"sg-[0-9a-f]+"), "an id like sg-0123abcd"),
    "vpc": (re.compile(r"vpc-[0-9a-f]+"), "an id like vpc-0123abcd"),
    "volume": (
        re.compile(r"fs-[0-9a-f]{8,40}|(?!fs-)[A-Za-z0-9][A-Za-z0-9_-]{0,39}"),
        "a name of letters, digits, _ and - (at most 40), or an id like fs-0123abcd",
    ),
    "smoke-url": (re.compile(r"https?://\S+"), "an http:// or https:// address"),
}


def _check_one_line(text: str) -> None:
    # The last three are line breaks to Python and to logs. A lone surrogate is a byte that was not UTF-8.
    if re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text):
        raise _InvalidValueError("line breaks, control characters and text that is not UTF-8 are not allowed")


def _check_text(option: Option, text: str) -> None:
    _check_one_line(text)
    pattern = _PATTERNS.get(option.name)
    if text and pattern and not pattern[0].fullmatch(text):
        raise _InvalidValueError(f"{text!r} is not valid: {pattern[1]}")


def _contradictions(parsed: Mapping[str, Any], given: Mapping[str, Given], file: BatchFile | None) -> list[str]:
    problems = []
    for name, value in given.items():
        reasons = [reason for reason in value.needed_by if parsed[reason]]
        # The sandbox has an account of its own.
        if reasons and not value.text.strip() and not (name == "aws-config-file" and parsed["sandbox"]):
            problems.append(f"{value.where}: it is missing or empty, but needed where {reasons[0]} is true")
    if parsed["push-to-ecr"] is False:
        for name in ("create-job-def", "deploy-service"):
            if parsed[name] and not (name == "create-job-def" and _names_its_image(parsed, file)):
                problems.append(f"{given[name].where}: {name} needs the image in ECR, but push-to-ecr is false")
    if _REGISTRY.match(parsed["repository"] or ""):
        problems.append(
            f"{given['repository'].where}: a repository is named without its registry, and lies in the account of the "
            "credentials; to push to another account, assume a role there (role-to-assume)"
        )
    if parsed["gpus"] and str(parsed["compute-type"]).startswith("FARGATE"):
        problems.append(f"{given['gpus'].where}: Fargate has no GPUs; set compute-type to EC2 or SPOT")
    if parsed["instance-types"] and str(parsed["compute-type"]).startswith("FARGATE"):
        where = given["instance-types"].where
        problems.append(f"{where}: Fargate has no instance types; set compute-type to EC2 or SPOT")
    keys = access.key_variables(parsed["api-key"] or ())
    told = variables.problems(parsed["environment"] or (), parsed["secrets"] or (), parsed["queue-url"] or "", keys)
    for name, problem in (
        *told,
        *access.problems(parsed, given),
        *placement.problems(parsed, given),
        *traffic.problems(parsed),
    ):
        problems.append(f"{given[name].where if name in given else name}: {problem}")
    problems += _function_problems(parsed, given)
    if len(set(parsed["platforms"] or ())) > 1:
        where = given["platforms"].where
        problems.append(f"{where}: one run makes the image for one platform; run once for each (docs/action.md)")
    problems += _finished(parsed, given)
    cpu, memory = parsed["cpu"], parsed["memory"]
    if cpu and memory and memory not in memories(cpu) and not _may_fit(parsed, given):
        where = next((given[name].where for name in ("cpu", "memory") if name in given), "the defaults")
        fits = nearest(cpu, memory)
        problems.append(
            f"{where}: Fargate has no size of {cpu} CPU units with {memory} MiB. "
            f"The nearest that is large enough: cpu {fits[0]}, memory {fits[1]}."
        )
    return problems


def _may_fit(parsed: Mapping[str, Any], given: Collection[str]) -> bool:
    """Tell whether a size of which one half is said may fit the other half of what is there."""
    if "cpu" in given:
        return "memory" not in given and bool(memories(parsed["cpu"]))
    return "memory" in given and is_sold(parsed["memory"])


def _function_problems(parsed: Mapping[str, Any], given: Mapping[str, Given]) -> list[str]:
    problems = []
    if parsed["update-function"]:
        where = given["update-function"].where
        if not parsed["job-queue"]:
            problems.append(f"{where}: update-function has to know where its jobs go: name a job-queue")
        if parsed["create-job-def"] is False or (parsed["create-job-def"] is None and parsed["push-to-ecr"] is False):
            problems.append(f"{where}: update-function has to know a job definition, but create-job-def is false")
    else:
        problems += [
            f"{given[name].where}: {name} is about the function that update-function names, which is empty"
            for name in ("function-source", "function-output")
            if parsed[name]
        ]
    if feeds_itself(parsed["function-source"] or "", parsed["function-output"] or ""):
        where = given["function-output"].where
        problems.append(f"{where}: what a job writes there would start another job, without end (function-source)")
    return problems


def _tree(
    parsed: Mapping[str, Any], given: Mapping[str, Given], file: BatchFile | None, notes: tuple[str, ...]
) -> Settings:
    follow = {
        name: parsed["push-to-ecr"] if parsed[name] is None else parsed[name]
        for name in ("create-job-def", "deploy-service")
    }
    groups: dict[str, dict[str, Any]] = {}
    for option in OPTIONS:
        groups.setdefault(option.group, {})[option.field] = follow.get(option.name, parsed[option.name])
    said = frozenset(BY_NAME[name].field for name, value in given.items() if value.text.strip())
    return Settings(
        program=ProgramSettings(**groups["program"]),
        image=ImageSettings(**groups["image"]),
        registry=RegistrySettings(**groups["registry"]),
        aws=AwsSettings(**groups["aws"]),
        batch=BatchSettings(**groups["batch"], file=file, given=said),
        service=ServiceSettings(**groups["service"], given=said),
        smoke=SmokeSettings(**groups["smoke"]),
        run=RunSettings(**groups["run"]),
        notes=notes,
    )
