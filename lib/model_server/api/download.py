"""A result's file name for browsers (RFC 6266)."""

import mimetypes
from functools import lru_cache
from urllib.parse import quote

from model_server.jobs.job import Job
from model_server.tabular import detect, mime
from model_server.tabular.mime import Form

#: What a browser shows and never runs; all else it is told to keep.
_INERT = ("text/plain", "text/csv", "application/csv", "application/json", "text/json", "application/octet-stream")
_INERT_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_UNSAFE = str.maketrans(dict.fromkeys('"\\%;', "_"))


def header(job: Job, kind: str, head: bytes) -> str:
    """Return a Content-Disposition; `head` tells the ending where `kind` does not."""
    is_inert, suffix = _of_kind(kind)
    name = f"{stem(job)}-result{detect.suffix_of(head) if suffix is None else suffix}"
    plain = name.encode("ascii", "replace").decode().replace("?", "_").translate(_UNSAFE)
    encoded = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{"inline" if is_inert else "attachment"}; filename="{plain}"{encoded}'


def stem(job: Job) -> str:
    name = job.name or ""
    return name.rpartition(".")[0] or name or f"job-{job.id[:8]}"


@lru_cache(32)
def _of_kind(kind: str) -> tuple[bool, str | None]:
    """Tell whether a browser may show it, and its ending; None: the kind does not tell."""
    parsed = mime.parse(kind)
    is_inert = parsed is not None and parsed.essence in (*_INERT, *_INERT_IMAGES)
    form = mime.form(kind)
    if mime.says_nothing(kind):
        return is_inert, None
    if form is not None:
        return is_inert, ".json" if form is Form.JSON else ".csv"
    return is_inert, (mimetypes.guess_extension(parsed.essence) if parsed is not None else None) or ".bin"
