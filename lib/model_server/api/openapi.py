"""Fills openapi.yaml with the model's own facts."""

from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from model_server.manifest import Manifest
from model_server.tabular import mime
from model_server.tabular.mime import Form

_FILE = Path(__file__).with_suffix(".yaml")
_MAPPING = "A JSON array of objects with source, destination and perhaps defaultValue."


def document(manifest: Manifest, wants_key: bool = False, root: str = "../../") -> dict[str, Any]:
    """Describe the server's API in OpenAPI 3.0.

    Args:
        root: of the server, relative to the document: right behind any prefix.
    """
    values: dict[str, Any] = {
        "root": root,
        "name": manifest.name,
        "version": manifest.version,
        "buildId": manifest.build_id,
        "about": "Send a data file as a job, ask for its status, fetch its result. Or all in one: /data/run-job.",
        "howToRun": _how_to_run(manifest),
        "file": _file_text(manifest),
        "inputType": manifest.input_types[0],
        "inputTypes": list(mime.convertible(manifest.input_types)),
        "outputTypes": list(mime.convertible(manifest.output_types)),
        "mimeTypes": ["", *mime.convertible(manifest.input_types)],
        "mapping": _MAPPING,
        "bodies": {kind: _content(kind) for kind in mime.convertible(manifest.input_types)},
        "uploadBytes": manifest.limits.upload_bytes,
        "result": _result_content(manifest),
    }
    described: dict[str, Any] = _filled(_document(), values)
    if wants_key:
        described["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
        described["security"] = [{"key": []}]
    return described


@cache
def _document() -> Any:
    import yaml  # noqa: PLC0415 - few ask, and it costs memory

    return yaml.safe_load(_FILE.read_text(encoding="utf-8"))


def _filled(node: Any, values: dict[str, Any]) -> Any:
    """Fill each `$word`; a text of one alone becomes a value of any type."""
    if isinstance(node, dict):
        return {key: _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, values) for value in node]
    if not isinstance(node, str) or "$" not in node:
        return node
    return values[node[1:]] if node[1:] in values else Template(node).substitute(values)


def _how_to_run(manifest: Manifest) -> str:
    name = "data" if manifest.example is None else manifest.example.word
    text = f"For example:\n\n    curl -F File=@{name} ADDRESS/data/run-job\n"
    if manifest.example is not None and manifest.example.head:
        shown = manifest.example.head.replace("\n", "\n    ")
        text += f"\nwhere `{name}`, the model's sample, begins:\n\n    {shown}\n"
    return f"{text}\nField names are compared without regard to case. An empty field counts as absent."


def _file_text(manifest: Manifest) -> str:
    if manifest.input_schema:
        fields = (
            f"{field.path} ({field.type}{', optional' if field.optional else ''})" for field in manifest.input_schema
        )
        return f"The data file. Its fields: {', '.join(fields)}."
    if manifest.sample_names:
        return f"The data file. The sample has the fields {', '.join(manifest.sample_names)}."
    return "The data file."


def _result_content(manifest: Manifest) -> dict[str, Any]:
    """Put the model's own form first: Swagger UI asks for it."""
    own = manifest.output_types[0]
    converted = ("application/json", "text/csv") if mime.form(own) is not None or mime.says_nothing(own) else ()
    return {kind: _content(kind) for kind in (own, *converted)}


def _content(kind: str) -> dict[str, Any]:
    """Describe data; text need not be in any encoding."""
    return {"schema": {} if mime.form(kind) is Form.JSON else {"type": "string", "format": "binary"}}
