"""Reads `gravityai-build.json`, as leniently as people write it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from model_dockerize.program import reading
from model_dockerize.program.files import Listing
from model_dockerize.program.problems import Problems
from model_dockerize.program.types import ModelTest, Schema, SchemaField

NAME = "gravityai-build.json"
_FORMS = {
    "json": "application/json",
    "csv": "text/csv; header=absent",
    "csv_header": "text/csv; header=present",
}
_DATA_TYPES = ("string", "number", "date", "boolean")


@dataclass(frozen=True)
class BuildFile:
    """The file's contents; empty where it says nothing."""

    system_packages: tuple[str, ...] = ()
    tests: tuple[ModelTest, ...] = ()
    uses_library: bool = False
    #: MIME types.
    input_type: str = ""
    output_type: str = ""
    schema: Schema | None = None
    #: Keys that mean nothing to us.
    unused: tuple[str, ...] = ()


def read(root: Path, listing: Listing, problems: Problems) -> BuildFile:
    text = reading.text(root, NAME, problems)
    if text is None:
        return BuildFile()
    try:
        document = _lenient(text)
    except (ValueError, RecursionError) as error:
        problems.wrong_folder(f"{NAME} cannot be read: {error}.")
        return BuildFile()
    if not isinstance(document, dict):
        problems.wrong_folder(f"{NAME} must be one JSON object.")
        return BuildFile()
    reader = _Reader(listing, problems)
    given = _lower(document)
    schema = _lower(given.pop("schema", None) or {})
    input_type, input_fields = reader.side("Input", schema)
    output_type, output_fields = reader.side("Output", schema)
    return BuildFile(
        system_packages=reader.texts("SystemPackages", given.pop("systempackages", None)),
        tests=reader.tests(given.pop("tests", None)),
        uses_library=reader.flag("UseGaiLib", given.pop("usegailib", None)),
        input_type=input_type,
        output_type=output_type,
        schema=Schema(input_fields, output_fields) if input_fields or output_fields else None,
        unused=tuple(given),
    )


def _lenient(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        without_comments = "\n".join("" if line.lstrip().startswith("//") else line for line in text.splitlines())
        try:
            # YAML's flow style is JSON with trailing commas and single quotes.
            # Tabs may not indent in YAML; inside texts they are not met in such files.
            return _Plain(without_comments.replace("\t", " ")).get_single_data()
        except yaml.YAMLError:
            raise ValueError(f"it is not JSON, not even leniently: {error}") from None


class _Plain(yaml.SafeLoader):
    # JSON has no aliases; a few lines of them stand for gigabytes.
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError
        return super().compose_node(parent, index)


def _lower(value: object) -> dict[str, Any]:
    return {str(key).lower(): item for key, item in value.items()} if isinstance(value, Mapping) else {}


class _Reader:
    def __init__(self, listing: Listing, problems: Problems) -> None:
        self._listing = listing
        self._problems = problems

    def texts(self, key: str, value: object) -> tuple[str, ...]:
        items: object = [value] if isinstance(value, str) else value or []
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            return tuple(items)
        self._wrong(f"{key} must be a list of texts")
        return ()

    def flag(self, key: str, value: object) -> bool:
        if value is None or isinstance(value, bool):
            return bool(value)
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        self._wrong(f"{key} must be true or false")
        return False

    def tests(self, value: object) -> tuple[ModelTest, ...]:
        if value is not None and not isinstance(value, list):
            self._wrong("Tests must be a list")
            return ()
        found: list[ModelTest] = []
        for number, entry in enumerate(value or [], start=1):
            keys = _lower(entry)
            source = self._file(f"Tests[{number}].RelativeInputPath", keys.get("relativeinputpath"))
            expected = keys.get("relativereferencepath") or None
            if source is None:
                self._wrong(f"Tests[{number}] needs a RelativeInputPath")
            reference = self._file(f"Tests[{number}].RelativeReferencePath", expected)
            found.append(ModelTest(source or "", reference))
        return tuple(found)

    def side(self, side: str, schema: Mapping[str, Any]) -> tuple[str, tuple[SchemaField, ...]]:
        short = schema.get(side.lower())
        inner = _lower(short)
        kind = schema.get(f"{side.lower()}type") or inner.get("type")
        entries = schema.get(f"{side.lower()}schema") or (short if isinstance(short, list) else inner.get("schema"))
        fields = tuple(self._fields(f"{side}Schema", entries or []))
        if isinstance(short, str) and kind is None:
            kind = short
        if kind is None:
            return "", fields
        form = _FORMS.get(str(kind).strip().lower())
        if form is None:
            self._wrong(f"{side}Type {kind!r} is none of {', '.join(_FORMS)}")
        return form or "", fields

    def _fields(self, key: str, entries: object) -> Iterable[SchemaField]:
        if not isinstance(entries, list):
            self._wrong(f"{key} must be a list of entries with Path, DataType, Optional")
            return
        for number, entry in enumerate(entries, start=1):
            keys = _lower(entry)
            path, kind = keys.get("path"), str(keys.get("datatype", "")).strip().lower()
            if not path or not isinstance(path, str | int):
                self._wrong(f"{key}[{number}] needs a Path")
            elif kind not in _DATA_TYPES:
                self._wrong(f"{key}[{number}], {path}: DataType must be one of {', '.join(_DATA_TYPES)}")
            else:
                yield SchemaField(str(path), kind, self.flag(f"{key}[{number}].Optional", keys.get("optional")))

    def _file(self, key: str, value: object) -> str | None:
        if value is None:
            return None
        path = PurePosixPath(str(value).replace("\\", "/").removeprefix("./")).as_posix()
        if not self._listing.holds(path):
            self._wrong(f"{key} {value!r} is not in the folder, or is left out of the image")
        return path

    def _wrong(self, text: str) -> None:
        self._problems.wrong_folder(f"{NAME}: {text}.")
