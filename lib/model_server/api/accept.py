"""A client's wanted result form, by path, Accept and `?types=`."""

from dataclasses import dataclass

from starlette.requests import Request

from model_server.api import head
from model_server.api.query import word
from model_server.tabular import mime
from model_server.tabular.mime import Form

_LONGEST = 1000
#: The forms that Accept may name, by the type in it.
_FORMS = {"application/json": Form.JSON, "text/csv": Form.CSV}
_KINDS = {Form.JSON: "application/json; charset=utf-8", Form.CSV: "text/csv; charset=utf-8"}


@dataclass(frozen=True)
class Wish:
    """The wanted form of a result."""

    #: None: the model's own.
    form: Form | None = None
    #: The path names the form: nothing else will do. Accept only prefers it.
    is_strict: bool = False
    #: The values of a CSV stay texts.
    as_text: bool = False

    def kind(self, own: str) -> str:
        return own if self.form is None else _KINDS[self.form]


OWN = Wish()


def of_path(request: Request, form: Form) -> Wish:
    return Wish(form, is_strict=True, as_text=_as_text(request))


def of_header(request: Request, own: str) -> Wish:
    as_text = _as_text(request)
    text = head.value(request, b"accept")
    form = None if text in ("", "*/*") else preferred(text, own)
    return Wish(form, as_text=as_text) if form is not None else OWN


def preferred(accept: str, own: str) -> Form | None:
    """Return the form that Accept prefers to `own`, or None."""
    ranges = [_range(item) for item in accept[:_LONGEST].split(",")]
    parsed = mime.parse(own)
    best, form = _quality("" if parsed is None else parsed.essence, ranges), None
    for kind, candidate in _FORMS.items():
        quality = _quality(kind, ranges)
        if quality > best:
            best, form = quality, candidate
    return form


def _range(text: str) -> tuple[str, float]:
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:].strip() for part in parameters if part.startswith("q=")), "1")
    try:
        return kind, min(max(float(quality), 0.0), 1.0) if len(quality) <= 5 else 1.0
    except ValueError:
        return kind, 1.0


def _quality(kind: str, ranges: list[tuple[str, float]]) -> float:
    """Weigh by the most specific range (RFC 9110, 12.5.1)."""
    for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0


def _as_text(request: Request) -> bool:
    return word(request, "types", ("auto", "text")) == "text"
