"""Makes a page's view of a result; of a large one only the head."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from model_server import bounds
from model_server.tabular import detect
from model_server.tabular.mime import Form
from model_server.tabular.numbers import NotExactError, exact
from model_server.tabular.problems import DataError, Problems
from model_server.tabular.records import Document, Table

_BINS = 20
_POINTS = 1000
_CELL_CHARACTERS = 300
_NODES = 1000
_DEPTH = 16


@dataclass(frozen=True)
class Look:
    """The part of a table to show; columns from 0."""

    page: int = 1
    size: int = 50
    sort: int | None = None
    is_descending: bool = False
    x: int | None = None
    y: int | None = None


def look(path: Path, form: str | None, wish: Look) -> dict[str, Any]:
    """Return a view as JSON; `kind` tells its other keys."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(bounds.SHOWN_TEXT_BYTES)
        image = detect.image_type(start)
        if image is not None:
            return {"kind": "image", "type": image, "size": size}
        if form is not None:
            try:
                if size <= bounds.SHOWN_BYTES:
                    return _structured(path, Form(form), wish, is_whole=True) | {"size": size}
                with NamedTemporaryFile() as head:
                    _copy_head(file, head)
                    return _structured(Path(head.name), Form(form), wish, is_whole=False) | {"size": size}
            except DataError as error:
                return {"kind": "damaged", "problem": str(error), "size": size, **_text(start, size)}
    text = _text(start, size)
    return {"kind": "text" if text["text"] else "other", "size": size, **text}


def _copy_head(file: IO[bytes], head: IO[bytes]) -> None:
    # The head ends with a whole line, and of a single line with a whole value: of 45 the page would show 4.
    file.seek(0)
    content = file.read(bounds.SHOWN_BYTES)
    head.write(content[: content.rfind(b"\n") + 1] or content.rpartition(b",")[0] or content)
    head.flush()


def _text(start: bytes, size: int) -> dict[str, Any]:
    # Empty if it is no text.
    try:
        text = detect.Decoder().decode(start)
    except UnicodeDecodeError:
        return {"text": "", "is_cut": False}
    if not all(letter.isprintable() or letter in "\n\r\t" for letter in text):
        return {"text": "", "is_cut": False}
    return {"text": text, "is_cut": size > len(start)}


class _Lenient(Problems):
    count = 0

    def add(self, text: str) -> None:  # noqa: ARG002 - as the class above
        self.count += 1


def _structured(path: Path, form: Form, wish: Look, *, is_whole: bool) -> dict[str, Any]:
    if form.is_table:
        problems = _Lenient()
        table = Table(path, has_header=form is Form.CSV)
        rows = list(_until_cut(table.records(problems), is_whole))
        names = tuple(dict.fromkeys(table.columns))
        return _table(names, rows, _exact, wish, is_whole) | {"left_out": problems.count}
    document = Document(path, is_result=True)
    if not document.is_array:
        return (
            {"kind": "tree", "tree": _tree(next(document.records())[1], _Budget())} if is_whole else {"kind": "other"}
        )
    records = list(_until_cut(document.records(), is_whole))
    if records and all(isinstance(record, dict) for record in records):
        names = tuple(dict.fromkeys(name for record in records for name in record))
        return _table(names, records, _numbers, wish, is_whole) | {"left_out": 0}
    if records and not any(isinstance(record, dict | list) for record in records):
        return _table(("value",), [{"value": record} for record in records], _numbers, wish, is_whole) | {"left_out": 0}
    return {"kind": "tree", "tree": _tree(records, _Budget())} if is_whole else {"kind": "other"}


def _until_cut(records: Iterable[tuple[int, Any]], is_whole: bool) -> Iterable[Any]:
    # A record that the head cuts is no fault.
    try:
        for _, record in records:
            yield record
    except DataError:
        if is_whole:
            raise


def _exact(rows: Sequence[dict[str, Any]], name: str) -> list[float | None] | None:
    # None if one is no number, or several columns have that name.
    try:
        return _floats([exact(row[name]) for row in rows]) if rows and isinstance(rows[0][name], str) else None
    except NotExactError:
        return None


def _numbers(rows: Sequence[dict[str, Any]], name: str) -> list[float | None] | None:
    return _floats(row.get(name) for row in rows)


def _floats(values: Iterable[Any]) -> list[float | None] | None:
    # None if a value is neither a number nor absent.
    found: list[float | None] = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            return None
        try:
            found.append(None if value is None else float(value))
        except OverflowError:
            return None
    return found if any(value is not None for value in found) else None


def _table(
    names: Sequence[str],
    rows: Sequence[dict[str, Any]],
    numbers_of: Callable[[Sequence[dict[str, Any]], str], list[float | None] | None],
    wish: Look,
    is_whole: bool,
) -> dict[str, Any]:
    # `numbers_of` gives a numeric column's numbers, one for each row.
    rows, is_whole = rows[: bounds.READ_ROWS], is_whole and len(rows) <= bounds.READ_ROWS
    shown = names[: bounds.SHOWN_COLUMNS]
    found = {column: numbers_of(rows, name) for column, name in enumerate(shown)}
    numeric = {column: values for column, values in found.items() if values is not None}
    order: Sequence[int] = range(len(rows))
    if wish.sort is not None and wish.sort < len(shown):
        name = shown[wish.sort]
        values: Sequence[Any] = numeric.get(wish.sort) or [_plain(row.get(name)).casefold() or None for row in rows]
        order = _sorted(values, wish.is_descending)
    pages = max(1, math.ceil(len(rows) / wish.size))
    page = min(wish.page, pages)
    first = (page - 1) * wish.size
    budget = _Budget()
    return {
        "kind": "table",
        "columns": [
            {"name": name[:_CELL_CHARACTERS], "histogram": histogram(_there(numeric.get(column, [])))}
            for column, name in enumerate(shown)
        ],
        "all_columns": len(names),
        "rows": [[_cell(rows[at].get(name), budget) for name in shown] for at in order[first : first + wish.size]],
        "first": first + 1,
        "total": len(rows),
        "is_whole": is_whole,
        "page": page,
        "pages": pages,
        "numeric": list(numeric),
        "points": _points(numeric, wish),
    }


def _there(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def histogram(values: Sequence[float]) -> dict[str, Any] | None:
    if not values:
        return None
    low, high = min(values), max(values)
    counts = [0] * _BINS
    width = high / 2 - low / 2  # halves: their difference may be no float
    for value in values:
        share = (value / 2 - low / 2) / width if width > 0 else 0.0
        counts[min(int(share * _BINS), _BINS - 1)] += 1
    return {"low": low, "high": high, "counts": counts if width > 0 else [len(values)]}


def _sorted(values: Sequence[Any], is_descending: bool) -> list[int]:
    # Rows without a value come last.
    there = [at for at, value in enumerate(values) if value is not None]
    absent = [at for at, value in enumerate(values) if value is None]
    return sorted(there, key=lambda at: values[at], reverse=is_descending) + absent


def _points(numeric: dict[int, list[float | None]], wish: Look) -> dict[str, Any] | None:
    # Many rows are sampled evenly.
    if len(numeric) < 2:
        return None
    first, second = list(numeric)[:2]
    x = wish.x if wish.x in numeric else first
    y = wish.y if wish.y in numeric else second if x == first else first
    pairs = zip(numeric[x], numeric[y], strict=True)
    both = [(across, up) for across, up in pairs if across is not None and up is not None]
    step = max(1, math.ceil(len(both) / _POINTS))
    return {"x": x, "y": y, "points": both[::step], "is_part": step > 1}


def _plain(value: Any) -> str:
    if value is None:
        return ""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:  # it could just be read
        return "…"


class _Budget:
    """Tree parts still to show."""

    def __init__(self) -> None:
        self.left = _NODES


def _cell(value: Any, budget: _Budget) -> dict[str, Any]:
    if isinstance(value, dict | list):
        return {"tree": _tree(value, budget), "text": ""}
    text = _plain(value)
    return {"text": text[:_CELL_CHARACTERS] + ("…" if len(text) > _CELL_CHARACTERS else "")}


def _tree(value: Any, budget: _Budget, depth: int = 0) -> dict[str, Any]:
    # Only as many parts, and as deep, as somebody may look through.
    if not isinstance(value, dict | list):
        return _cell(value, budget)
    items = value.items() if isinstance(value, dict) else enumerate(value)
    kind = "object" if isinstance(value, dict) else "array"
    shown = []
    if depth < _DEPTH:
        for key, item in items:
            if budget.left <= 0:
                break
            budget.left -= 1
            shown.append([str(key)[:_CELL_CHARACTERS], _tree(item, budget, depth + 1)])
    return {"is": kind, "count": len(value), "items": shown, "more": len(value) - len(shown)}
