"""Values of a query string."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request

from model_server.api.envelope import ApiError


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number, or raise ApiError 400."""
    text = _value(request, name)
    if not text:
        return default
    if len(text) > 12 or not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise ApiError(400, f"{name} must be a whole number from {low} to {high}")
    return int(text)


def word(request: Request, name: str, words: Sequence[str]) -> str:
    """Return one of `words`, by default the first, or raise ApiError 400."""
    text = _value(request, name) or words[0]
    if text not in words:
        raise ApiError(400, f"{name} must be one of {', '.join(filter(None, words))}")
    return text


def _value(request: Request, name: str) -> str:
    query = request.scope["query_string"]
    # As request.query_params, which takes twice the time; most requests have none at all.
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)).get(name, "").strip() if query else ""
