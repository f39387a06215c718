"""Proposes mappings by the names of fields."""

import difflib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from model_server import bounds
from model_server.tabular.mime import Form
from model_server.tabular.records import Document, Table

#: How many records of a JSON document are looked at for their fields.
_LOOKED_AT = 100
#: Of difflib: 1 is the same name.
_CLOSE = 0.75
_LONGEST_COMPARED = 200


def propose(sources: Sequence[str], wanted: Sequence[str], by_position: bool) -> list[dict[str, Any]]:
    """Propose a mapping of `sources`, in the order of `wanted`.

    A field that no name is like gets a default for a person to fill in.

    Args:
        by_position: sources are column numbers, in the fields' order.
    """
    if not wanted:
        return [_entry(source, source) for source in sources]
    if by_position:
        return [_entry(sources[at] if at < len(sources) else "", path) for at, path in enumerate(wanted)]
    left = list(sources)
    found: dict[str, str] = {}
    for likeness in (_exact, _cased, _plain, _near):
        for path in wanted:
            source = likeness(path, left) if path not in found else None
            if source is not None:
                found[path] = source
                left.remove(source)
    return [_entry(found.get(path, ""), path) for path in wanted]


def document(entries: Sequence[dict[str, Any]]) -> bytes:
    lines = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in entries)
    return f"[\n{lines}\n]\n".encode("utf-8", "replace")


def sources_of(path: Path, form: Form) -> list[str]:
    """Return the paths in a data file, or raise DataError."""
    if form.is_table:
        columns = Table(path, form is Form.CSV).columns
        counts = Counter(columns)
        seen: dict[str, int] = {}
        found = []
        for name in columns:
            place = seen[name] = seen.get(name, -1) + 1
            found.append(f"{name}[{place}]" if counts[name] > 1 else name)
        return [name for name in found if len(name) <= bounds.PATH_CHARACTERS][: bounds.RULES]
    paths: dict[str, None] = {}
    for _, record in islice(Document(path).records(), _LOOKED_AT):
        for leaf in _leaves(record, ""):
            paths[leaf] = None
            if len(paths) >= bounds.RULES:
                return list(paths)
    return list(paths)


def _leaves(value: Any, path: str) -> Iterator[str]:
    if len(path) > bounds.PATH_CHARACTERS:
        return  # no mapping can name it
    if isinstance(value, dict):
        for name, item in value.items():
            if name and not set("/[]") & set(name):  # a path cannot say it otherwise
                yield from _leaves(item, f"{path}/{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict | list):
        yield from _leaves(value[0], f"{path}[*]")
    elif path:
        yield path


def _entry(source: str, destination: str) -> dict[str, Any]:
    if source:
        return {"source": source, "destination": destination}
    return {"source": "", "destination": destination, "defaultValue": None}


def _exact(path: str, sources: Sequence[str]) -> str | None:
    return path if path in sources else None


def _by(key: Callable[[str], str], path: str, sources: Sequence[str]) -> str | None:
    return next((source for source in sources if key(source) == key(path)), None)


def _cased(path: str, sources: Sequence[str]) -> str | None:
    return _by(str.casefold, path, sources)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _plain(path: str, sources: Sequence[str]) -> str | None:
    return _by(_letters, path, sources) if _letters(path) else None


def _near(path: str, sources: Sequence[str]) -> str | None:
    # What a path cannot name need not be compared, which takes the square of a name's length.
    letters = {_letters(source): source for source in reversed(sources) if len(source) <= _LONGEST_COMPARED}
    close = difflib.get_close_matches(_letters(path), letters, n=1, cutoff=_CLOSE)
    return letters[close[0]] if close else None
