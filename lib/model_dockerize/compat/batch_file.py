"""Reads BatchConfig.yml (docs/existing-files.md), with the old format's misspelled keys."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_dockerize.errors import InputError
from model_dockerize.patterns import BATCH_NAME, REGION, SECURITY_GROUP, SUBNET, pattern

if TYPE_CHECKING:
    from model_dockerize.compat.sections import Section

_ROLE = pattern(r"(arn:aws[a-z-]*:iam::[0-9]{12}:\S+/)?[\w+=,.@-]+", "the name or ARN of a role")
_IMAGE = pattern(r"[^\s@]+(@sha256:[0-9a-f]{64})?", "an image, e.g. REGISTRY/REPOSITORY:VERSION")
_TEXT = pattern(r"[^\x00-\x1f\x7f]*", "a text on one line")

_KEYS: Mapping[str, tuple[str, ...]] = {
    "client": ("region",),
    "comp_env": (
        "compute_environment_name",
        "security_group_ids",
        "subnets",
        "service_role",
        "instance_role",
        "max_vcpus",
    ),
    "job_queue": ("job_queue_name", "job_queue_priority", "compute_environment_name"),
    "job_def": (
        "job_definition_name",
        "image",
        "command",
        "memory",
        "vcpus",
        "job_definition_param",
        "job_definition_environment_variables",
        "compute_environment_name",
    ),
    "job": (
        "job_name",
        "job_definition_name_version",
        "job_param",
        "job_command",
        "job_vcpus",
        "job_memory",
        "retry_attempts",
        "job_environment_variables",
        "job_definition_name",
        "job_queue_name",
    ),
}

#: Where something would stand if dictionaries were a file.
_PLACE = re.compile(r"^\., line \d+, ")

Wanted = Mapping[str, tuple[str, ...]]
#: Sections that are read to register a job definition, and the keys that each must have where it stands in the file.
FOR_DEFINITION: Wanted = {"client": (), "job_def": ("job_definition_name",)}
#: The same for a whole environment.
FOR_ENVIRONMENT: Wanted = {
    "client": (),
    "comp_env": ("compute_environment_name", "security_group_ids", "subnets"),
    "job_queue": ("job_queue_name",),
    "job_def": ("job_definition_name", "image"),
    "job": ("job_name",),
}


@dataclass(frozen=True)
class ComputeEnvironmentConfig:
    """Section comp_env."""

    name: str
    subnets: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    service_role: str = ""  # name or ARN; empty: Batch's own for a new one, else as it is
    instance_role: str = ""  # instance profile: name or ARN; empty: one of our own
    max_vcpus: int | None = None  # None: 128 of a new one, else as it is


@dataclass(frozen=True)
class JobQueueConfig:
    """Section job_queue."""

    name: str
    compute_environment: str
    priority: int | None = None  # None: 100 of a new one, else as it is


@dataclass(frozen=True)
class JobDefinitionConfig:
    """Section job_def. None: not given."""

    name: str
    image: str = ""
    command: tuple[str, ...] | None = None  # argv; Ref::NAME stands for the job's parameter NAME
    memory: int | None = None  # MiB
    vcpus: int | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def given(self) -> frozenset[str]:
        """Name the inputs that the section gives instead."""
        said = {"cpu": self.vcpus, "memory": self.memory, "environment": self.environment}
        return frozenset(name for name, value in said.items() if value)


@dataclass(frozen=True)
class JobConfig:
    """Section job. None: as in the job definition."""

    name: str
    queue: str
    definition: str  # its name; the highest active revision runs
    parameters: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] | None = None
    vcpus: int | None = None
    memory: int | None = None  # MiB
    retry_attempts: int | None = None
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class BatchFile:
    """A whole BatchConfig.yml; None for a missing section."""

    path: Path
    region: str = ""
    compute_environment: ComputeEnvironmentConfig | None = None
    job_queue: JobQueueConfig | None = None
    job_definition: JobDefinitionConfig | None = None
    job: JobConfig | None = None


def is_batch_file(path: Path) -> bool:
    from model_dockerize.compat.sections import section_names

    return not section_names(path).isdisjoint(_KEYS)


def read_batch_file(path: Path, wanted: Wanted) -> BatchFile:
    """Read the sections `wanted`; check the keys of all."""
    from model_dockerize.compat.sections import read_sections

    problems: list[str] = []
    found = read_sections(path, _KEYS, _right_spelling, problems)
    sections = {name: section for name, section in found.items() if name in wanted}
    for name, section in sections.items():
        section.require(wanted[name])
    environment, queue, definition, job = (sections.get(n) for n in ("comp_env", "job_queue", "job_def", "job"))
    made = BatchFile(
        path=path,
        region=sections["client"].text("region", REGION) if "client" in sections else "",
        compute_environment=_environment(environment) if environment else None,
        job_queue=_queue(queue, environment) if queue else None,
        job_definition=_definition(definition) if definition else None,
        job=_job(job, queue, definition) if job else None,
    )
    if problems:
        raise InputError(f"{path} is not right.", "Correct what is listed and run again.", tuple(problems))
    return made


def read_section(source: Path | Mapping[str, Any], name: str, given: Mapping[str, str]) -> BatchFile:
    """Read one section, of a file or a dictionary."""
    from model_dockerize.compat.sections import read_sections, sections_of

    problems: list[str] = []
    is_file = isinstance(source, Path)
    found = (
        read_sections(source, _KEYS, _right_spelling, problems)
        if isinstance(source, Path)
        else sections_of(source, _KEYS, _right_spelling, problems)
    )
    what = str(source) if is_file else "The dictionaries"
    if name not in found:
        raise InputError(
            f"{what}: there is no section {name}.", f"Describe it there: `{name}:`, and its keys under it."
        )
    section = found[name]
    for key, text in given.items():
        section.give(key, text)
    section.require(FOR_ENVIRONMENT[name])
    environment, queue, definition = found.get("comp_env"), found.get("job_queue"), found.get("job_def")
    made = BatchFile(
        path=source if isinstance(source, Path) else Path(),
        compute_environment=_environment(section) if name == "comp_env" else None,
        job_queue=_queue(section, environment) if name == "job_queue" else None,
        job_definition=_definition(section) if name == "job_def" else None,
        job=_job(section, queue, definition) if name == "job" else None,
    )
    if problems:
        told = problems if is_file else [_PLACE.sub("", problem) for problem in problems]
        raise InputError(f"{what} {'is' if is_file else 'are'} not right.", "Correct what is listed.", tuple(told))
    return made


def _right_spelling(key: str) -> str:
    return key.replace("enviornment", "environment").replace("computer_environment", "compute_environment")


def _environment(section: "Section") -> ComputeEnvironmentConfig:
    return ComputeEnvironmentConfig(
        name=section.text("compute_environment_name", BATCH_NAME),
        subnets=section.words("subnets", SUBNET),
        security_group_ids=section.words("security_group_ids", SECURITY_GROUP),
        service_role=section.text("service_role", _ROLE),
        instance_role=section.text("instance_role", _ROLE),
        max_vcpus=section.number("max_vcpus", 1),
    )


def _queue(section: "Section", environment: "Section | None") -> JobQueueConfig:
    return JobQueueConfig(
        name=section.text("job_queue_name", BATCH_NAME),
        compute_environment=_named(section, "compute_environment_name", environment),
        priority=section.number("job_queue_priority", 0),
    )


def _definition(section: "Section") -> JobDefinitionConfig:
    return JobDefinitionConfig(
        name=section.text("job_definition_name", BATCH_NAME),
        image=section.text("image", _IMAGE),
        command=_command(section, "command"),
        memory=section.number("memory", 4),
        vcpus=section.number("vcpus", 1),
        parameters=section.pairs("job_definition_param"),
        environment=section.pairs("job_definition_environment_variables"),
    )


def _job(section: "Section", queue: "Section | None", definition: "Section | None") -> JobConfig:
    return JobConfig(
        name=section.text("job_name", BATCH_NAME),
        queue=_named(section, "job_queue_name", queue),
        definition=_named(section, "job_definition_name", definition),
        parameters=section.pairs("job_param"),
        command=_command(section, "job_command"),
        vcpus=section.number("job_vcpus", 1),
        memory=section.number("job_memory", 4),
        retry_attempts=section.number("retry_attempts", 1, 10),
        environment=section.pairs("job_environment_variables"),
    )


def _named(section: "Section", key: str, other: "Section | None") -> str:
    # The other section may give the name instead.
    name = section.text(key, BATCH_NAME)
    if name or section.has(key):
        return name
    if other is None or not other.has(key):
        section.require((key,))
        return ""
    return other.text(key, BATCH_NAME)


def _command(section: "Section", key: str) -> tuple[str, ...] | None:
    if not section.has(key):
        return None
    if section.is_list(key):
        return section.words(key, _TEXT)
    try:
        return tuple(shlex.split(section.text(key, _TEXT)))
    except ValueError as error:
        section.wrong(key, f"it cannot be split into words: {error}")
        return None
