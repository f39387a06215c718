"""Writes a mapping file for a data set."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server.api import services, upload
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload
from model_server.api.services import Services
from model_server.manifest import Manifest
from model_server.tabular import mime, propose
from model_server.tabular.mime import Form
from model_server.tabular.problems import DataError


async def propose_mapping(request: Request) -> Response:
    server = services.of(request)
    space = server.space.part()
    try:
        form = await upload.receive(request, server.uploads, server.manifest.limits.upload_bytes, space)
        with form.as_file(server.uploads) as file:
            kind = _form(form, server.manifest)
            content = await server.convert(_proposed, file, kind, server)
    finally:
        space.give_back()
    headers = {
        "content-type": "application/json; charset=utf-8",
        "content-disposition": 'attachment; filename="mapping.json"',
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    return Response(content, headers=headers)


def _form(form: Upload, manifest: Manifest) -> Form:
    if all(mime.form(text) is None for text in manifest.input_types):
        raise ApiError(400, f"mappings are for structured data; this model takes {', '.join(manifest.input_types)}")
    supported = mime.convertible(manifest.input_types)
    chosen = mime.choose(form.text("MimeType"), form.file_type, supported)
    kind = None if chosen is None else mime.form(chosen, manifest.input_types)
    if kind is None:
        raise ApiError(400, f"this MimeType is not structured data; possible are: {', '.join(Form)}")
    return kind


def _proposed(file: Path, kind: Form, server: Services) -> bytes:
    try:
        sources = server.converters.do(propose.sources_of, file, kind)
    except DataError as error:
        raise ApiError(400, f"the data cannot be read: {error}") from error
    return propose.document(propose.propose(sources, _wanted(server.manifest), kind is Form.BARE_CSV))


def _wanted(manifest: Manifest) -> list[str]:
    return [str(field.path) for field in manifest.input_schema] or list(manifest.sample_names)


ROUTES = [Route("/data/mapping", propose_mapping, methods=["POST"])]
