"""The manifest: the image's description of its model."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from model_server.errors import ManifestError
from model_server.tabular import mime, schema
from model_server.tabular.schema import Field


@dataclass(frozen=True)
class Limits:
    """Bounds of one job."""

    timeout_seconds: int = 3600
    #: Largest data file that add-job takes, bytes.
    upload_bytes: int = 2 * 1024**3
    #: What the program and what it starts may hold in memory, MiB; 0 is no limit.
    memory_mib: int = 0
    #: Largest output, bytes; 0 is no limit.
    output_bytes: int = 0
    #: Jobs that are over are kept so many days, and so many of them; 0 is without end.
    retention_days: int = 0
    retention_jobs: int = 0
    #: Records that the program is given in one run for several jobs; 0: each job has a run of its own.
    batch_records: int = 0
    #: How long the first of those jobs waits for others, milliseconds.
    batch_wait_ms: int = 10


@dataclass(frozen=True)
class Example:
    """The sample as the server shows it."""

    path: Path
    #: Of the file, without its folder.
    name: str
    #: Its first lines; "" where it is no text.
    head: str
    #: Its columns, or the fields of its records; empty where it has none.
    names: tuple[str, ...]

    @property
    def word(self) -> str:
        """Return the name, or another where a shell would split it."""
        return self.name if re.fullmatch(r"\w[\w.-]*", self.name) else "data"


@dataclass(frozen=True)
class Proof:
    """The sample that proves a container; "": none."""

    input: str
    #: The result that it must give; "": any will do.
    expected: str = ""
    #: The mapping that it is sent with.
    mapping: str = ""


@dataclass(frozen=True)
class Manifest:
    """The model of this image."""

    name: str
    version: str
    #: Content identity of the image; "local" when it was built without one.
    build_id: str
    #: argv of the program; "{input}" and "{output}" are replaced, also inside words.
    command: tuple[str, ...]
    working_directory: str
    #: MIME types, most natural first; never empty.
    input_types: tuple[str, ...]
    output_types: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)
    #: The fields of structured data; empty when none are declared.
    input_schema: tuple[Field, ...] = ()
    output_schema: tuple[Field, ...] = ()
    #: The program is written for the public `gravityai` library.
    uses_library: bool = False
    #: How the program is run: one of RUNNER_MODES.
    runner_mode: str = "auto"
    #: A data file in the working directory, which the program takes as it is; "": there is none.
    sample: str = ""
    #: None: there is no sample that a container could prove itself with.
    proof: Proof | None = None
    #: Of the publisher of license keys, 32 bytes in base64url; "": no key is needed.
    license_public_key: str = ""
    #: Found at start, not written: what the sample shows.
    example: Example | None = None

    @property
    def sample_names(self) -> tuple[str, ...]:
        return () if self.example is None or self.input_schema else self.example.names


RUNNER_MODES = ("auto", "command", "warm", "resident", "library")
_REQUIRED = ("name", "version", "build_id", "command", "working_directory", "input_types", "output_types")
_KEYS = (*_REQUIRED, "limits", "schema", "uses_library", "runner_mode", "sample", "proof", "license_public_key")


def parse(text: str, build_id: str | None = None) -> Manifest:
    """Read a manifest, or raise ManifestError; `build_id` overrides its own."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ManifestError(f"the manifest is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ManifestError("the manifest must be one JSON object")
    if build_id is not None:
        document = {**document, "build_id": build_id}
    problems = _problems(document)
    if problems:
        raise ManifestError("the manifest is wrong: " + "; ".join(problems))
    return Manifest(
        name=document["name"],
        version=document["version"],
        build_id=document["build_id"],
        command=tuple(document["command"]),
        working_directory=document["working_directory"],
        input_types=tuple(document["input_types"]),
        output_types=tuple(document["output_types"]),
        limits=Limits(**document.get("limits", {})),
        input_schema=_fields(document, "input"),
        output_schema=_fields(document, "output"),
        uses_library=document.get("uses_library", False),
        runner_mode=document.get("runner_mode", "auto"),
        sample=document.get("sample", ""),
        proof=Proof(**document["proof"]) if document.get("proof") else None,
        license_public_key=document.get("license_public_key", ""),
    )


def read(path: Path) -> Manifest:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"cannot read the manifest {path}: {error}. The image's build writes it by: model-server manifest '<json>'"
        ) from error
    return parse(text)


def write(manifest: Manifest, path: Path) -> None:
    """Write the manifest for all to read: the server drops its privileges."""
    try:
        path.write_text(json.dumps(_document(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        path.chmod(0o644)
    except OSError as error:
        raise ManifestError(f"cannot write the manifest {path}: {error}") from error


def found_file(path: Path) -> Path:
    """Return the file where `prepare` notes the program's path."""
    return path.with_name("found.json")


def with_found(manifest: Manifest, path: Path) -> Manifest:
    """Name the program by its noted path, whatever PATH is."""
    file = found_file(path)
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    program, *words = manifest.command
    return replace(manifest, command=(found.get(program, program), *words))


def _document(manifest: Manifest) -> dict[str, Any]:
    document = asdict(manifest)
    del document["input_schema"], document["output_schema"], document["example"]
    document["schema"] = {
        "input": schema.document(manifest.input_schema),
        "output": schema.document(manifest.output_schema),
    }
    return document


def _fields(document: Mapping[str, Any], side: str) -> tuple[Field, ...]:
    entries = document.get("schema", {}).get(side, [])
    form = mime.form(document[f"{side}_types"][0])
    if entries and form is None:
        raise ValueError(f"describes structured data, but {side}_types begins with {document[f'{side}_types'][0]}")
    return schema.parse_fields(entries, form is not None and form.is_table)


def _problems(document: Mapping[str, Any]) -> list[str]:
    problems = [f"unknown key {key!r}" for key in document if key not in _KEYS]
    problems += [f"{key!r} is missing" for key in _REQUIRED if key not in document]
    problems += [
        f"{key!r} must be a text that is not empty"
        for key in ("name", "version", "build_id", "working_directory")
        if key in document and not _is_text(document[key])
    ]
    for key in ("command", "input_types", "output_types"):
        value = document.get(key)
        if key in document and not (isinstance(value, list) and value and all(map(_is_text, value))):
            problems.append(f"{key!r} must be a list of texts that is not empty")
    if not str(document.get("working_directory", "/")).startswith("/"):
        problems.append("'working_directory' must be an absolute path")
    command = document.get("command")
    if isinstance(command, list):
        words = " ".join(word for word in command if isinstance(word, str))
        problems += [f"'command' has no {mark}" for mark in ("{input}", "{output}") if mark not in words]
    if not isinstance(document.get("uses_library", False), bool):
        problems.append("'uses_library' must be true or false")
    problems += [
        f"{key!r} must be a text"
        for key in ("sample", "license_public_key")
        if not isinstance(document.get(key, ""), str)
    ]
    if document.get("runner_mode", "auto") not in RUNNER_MODES:
        problems.append(f"'runner_mode' must be one of {', '.join(RUNNER_MODES)}")
    problems += _proof_problems(document.get("proof"))
    problems += _limit_problems(document.get("limits", {}))
    return problems or [*_schema_problems(document), *_batch_problems(document)]


def _batch_problems(document: Mapping[str, Any]) -> list[str]:
    if not document.get("limits", {}).get("batch_records", 0):
        return []
    return [
        f"limit 'batch_records' is for one kind of structured data, CSV or JSON; {key!r} has {', '.join(document[key])}"
        for key in ("input_types", "output_types")
        if len({mime.form(text, document[key]) for text in document[key]} - {None}) != 1
        or None in map(mime.form, document[key])
    ]


def _schema_problems(document: Mapping[str, Any]) -> list[str]:
    value = document.get("schema", {})
    if not isinstance(value, dict) or not set(value) <= {"input", "output"}:
        return ["'schema' must be an object with 'input' and 'output'"]
    problems: list[str] = []
    for side in ("input", "output"):
        try:
            _fields(document, side)
        except ValueError as error:
            problems.append(f"schema of the {side}: {error}")
    return problems


def _proof_problems(proof: object) -> list[str]:
    if proof is None:
        return []
    keys = [entry.name for entry in fields(Proof)]
    if not isinstance(proof, dict) or not set(proof) <= set(keys) or not _is_text(proof.get("input")):
        return [f"'proof' must be an object with 'input', and nothing else but {', '.join(keys[1:])}"]
    return [f"'proof': {key!r} must be a text" for key, value in proof.items() if not isinstance(value, str)]


def _limit_problems(limits: object) -> list[str]:
    if not isinstance(limits, dict):
        return ["'limits' must be an object"]
    known = asdict(Limits())
    problems = [f"unknown limit {key!r}" for key in limits if key not in known]
    lowest = {key: 0 if value == 0 else 1 for key, value in known.items()}
    problems += [
        f"limit {key!r} must be a whole number{' above 0' if lowest[key] else ', 0 or more'}"
        for key in known
        if key in limits and (type(limits[key]) is not int or limits[key] < lowest[key])
    ]
    return problems


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\x00" not in value
