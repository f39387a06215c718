"""The image's sample, shown in place of a schema."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath

from model_server import bounds
from model_server.manifest import Example, Manifest
from model_server.tabular import mime
from model_server.tabular.detect import Decoder
from model_server.tabular.mime import Form
from model_server.tabular.problems import DataError
from model_server.tabular.records import Document, Table

#: Of the sample that is read; of a larger one only its head is shown.
_HEAD_BYTES = 64 * 1024
_SHOWN_LINES = 4
_SHOWN_CHARACTERS = 1000
_LOOKED_AT = 20


def with_example(manifest: Manifest) -> Manifest:
    if not manifest.sample:
        return manifest
    path = Path(manifest.working_directory, manifest.sample)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        return replace(manifest, example=Example(path, PurePosixPath(path).name, _shown(head), _names(path, manifest)))
    except OSError:
        return manifest


def _shown(head: bytes) -> str:
    # Empty where the data is no text.
    try:
        text = Decoder().decode(head)
    except UnicodeDecodeError:
        return ""
    lines = text.splitlines()
    shown = "\n".join(lines[:_SHOWN_LINES])
    is_text = all(letter.isprintable() or letter in "\n\t" for letter in shown)
    if not is_text:
        return ""
    is_cut = len(lines) > _SHOWN_LINES or len(shown) > _SHOWN_CHARACTERS
    return shown[:_SHOWN_CHARACTERS] + ("\n…" if is_cut else "")


def _names(path: Path, manifest: Manifest) -> tuple[str, ...]:
    # The names of columns, or of the records' fields.
    form = mime.form(manifest.input_types[0], manifest.input_types)
    try:
        if form is Form.CSV:
            return _usable(Table(path, has_header=True).columns)
        if form is Form.JSON:
            records = [record for _, record in islice(Document(path).records(), _LOOKED_AT)]
            names = (name for record in records if isinstance(record, dict) for name in record)
            return _usable(name for name in names if not set("/[]") & set(name))  # a path cannot say these
    except (DataError, OSError):
        pass
    return ()


def _usable(names: Iterable[str]) -> tuple[str, ...]:
    # Only names that a mapping can have.
    return tuple(dict.fromkeys(name for name in names if 0 < len(name) <= bounds.PATH_CHARACTERS))[: bounds.RULES]
