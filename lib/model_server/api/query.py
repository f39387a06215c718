"""Numbers of a query string."""

from starlette.requests import Request

from model_server.api.envelope import ApiError


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number of the query string; `default` when it is absent or empty.

    Raises:
        ApiError: 400, it is none, or out of range.
    """
    # Most requests have none at all, and to parse nothing takes a while, too.
    text = request.query_params.get(name, "").strip() if request.scope["query_string"] else ""
    if not text:
        return default
    if len(text) > 12 or not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise ApiError(400, f"{name} must be a whole number from {low} to {high}")
    return int(text)
