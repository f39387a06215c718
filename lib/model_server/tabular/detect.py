"""Finds a result's form by its bytes."""

import codecs
from itertools import islice
from pathlib import Path

from model_server.tabular.mime import Form
from model_server.tabular.numbers import NotExactError, exact
from model_server.tabular.problems import DataError, Problems
from model_server.tabular.records import Document, Table

_LOOKED_AT = 100
_LONGEST_NAME = 256
_HEAD_BYTES = 64 * 1024
#: Where a head ends in the midst of a letter, it leaves that out.
Decoder = codecs.getincrementaldecoder("utf-8-sig")
_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def form_of(path: Path) -> Form | None:
    """Return JSON, CSV if the first lines are a table, or None."""
    with path.open("rb") as file:
        if b"\0" in file.read(_HEAD_BYTES):
            return None
    return Form.JSON if _is_json(path) else _table(path)


def _is_json(path: Path) -> bool:
    # Of an array, the first element counts; of another document, the whole.
    try:
        document = Document(path, is_result=True)
        for _ in document.records():
            if document.is_array:
                break
    except DataError:
        return False
    return True


def _table(path: Path) -> Form | None:
    try:
        table = Table(path, has_header=True)
        problems = Problems()
        rows = seen = 0
        for _, record in islice(table.records(problems), _LOOKED_AT):
            rows += 1
            seen += sum(map(len, record.values()))
            if seen > _HEAD_BYTES:
                break
        problems.raise_if_any()
    except DataError:
        return None
    if not any(table.columns) or not all(map(_is_name, table.columns)):
        return None
    if all(map(_is_number, table.columns)):
        return Form.BARE_CSV  # a line of numbers is no header
    return Form.CSV if rows or len(table.columns) > 1 else None


def _is_name(text: str) -> bool:
    # A name that begins as JSON is a damaged document, or one of many lines.
    return text.isprintable() and len(text) <= _LONGEST_NAME and not text.startswith(("{", "["))


def _is_number(text: str) -> bool:
    try:
        return exact(text) is not None
    except NotExactError:
        return False


def image_type(head: bytes) -> str | None:
    """Return the type of an image that browsers never run, or None."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _IMAGES.items() if head.startswith(magic)), None)


def suffix_of(head: bytes) -> str:
    """Guess a file name's ending; nothing depends on it."""
    kind = image_type(head)
    if kind is not None:
        return f".{kind.removeprefix('image/')}"
    text = Decoder("replace").decode(head)
    if "\ufffd" in text or "\0" in text:
        return ".bin"
    if text.lstrip().startswith(("{", "[")):
        return ".json"
    return ".csv" if "," in text.partition("\n")[0] else ".txt"
