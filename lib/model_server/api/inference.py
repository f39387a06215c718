"""The Open Inference Protocol, version 2 (KServe), for models of flat records."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server import __version__, bounds
from model_server.api import body, data, disk, envelope, results, services
from model_server.api.accept import Wish
from model_server.api.disk import Part
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload
from model_server.api.jobs import no_job
from model_server.api.operations import not_serving
from model_server.api.refusals import INFERENCE
from model_server.api.run_job import ID_HEADER, run_job
from model_server.api.services import Services
from model_server.jobs.job import Job, JobResult
from model_server.jobs.store import SMALL_BYTES
from model_server.manifest import Manifest
from model_server.tabular import mime, tensors
from model_server.tabular.mime import Form
from model_server.tabular.problems import DataError, TooLargeError
from model_server.tabular.schema import Field

_JSON = Wish(Form.JSON, is_strict=True)
_HEADERS = {"content-type": "application/json", "cache-control": "no-store"}
_BINARY_HEADER = "Inference-Header-Content-Length"


async def server_metadata(_request: Request) -> Response:
    return _answer({"name": "model-server", "version": __version__, "extensions": []})


async def live(_request: Request) -> Response:
    return _answer({"live": True})


async def ready(request: Request) -> Response:
    is_ready = not_serving(services.of(request)) is None
    return _answer({"live": True, "ready": is_ready}, 200 if is_ready else 503)


async def model_ready(request: Request) -> Response:
    name = _model(request).name
    is_ready = not_serving(services.of(request)) is None
    return _answer({"name": name, "ready": is_ready}, 200 if is_ready else 503)


async def model_metadata(request: Request) -> Response:
    manifest = _model(request)
    inputs, outputs = _tensors(manifest.input_schema, "input"), _tensors(manifest.output_schema, "output")
    about = {"name": manifest.name, "versions": [manifest.version], "platform": "program"}
    return _answer({**about, "inputs": inputs, "outputs": outputs})


async def infer(request: Request) -> Response:
    manifest = _model(request)
    if _BINARY_HEADER in request.headers:
        raise ApiError(400, f"binary tensors are not taken: send the data as JSON, without {_BINARY_HEADER}")
    inference = _Inference(manifest)
    response = await run_job(request, inference.receive, inference.answer)
    if response.status_code == 202:
        job_id = response.headers[ID_HEADER]
        raise ApiError(504, f"the job {job_id} is not over and goes on: ask for its status", {ID_HEADER: job_id})
    return response


class _Inference:
    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._outputs = [str(each["name"]) for each in _tensors(manifest.output_schema, "output")]
        _tensors(manifest.input_schema, "input")
        #: `id` and `outputs` of the request.
        self._asked: dict[str, Any] = {}

    async def receive(self, request: Request, folder: Path, limit: int, space: Part, with_digest: bool) -> Upload:
        server = services.of(request)
        sent = await body.receive(request, folder, min(limit, bounds.INFERENCE_BYTES), space, with_digest)
        with sent.as_file(folder) as file:
            form = await server.convert(self._records, server, file, limit)
        form.digest, form.size = sent.digest, sent.size
        form.fields["mimetype"] = next(
            (kind for kind in self._manifest.input_types if mime.form(kind) is Form.JSON), str(Form.JSON)
        )
        return form

    def _records(self, server: Services, request: Path, limit: int) -> Upload:
        room = server.space.left
        with data.new_file(request.parent) as target:
            try:
                self._asked = server.converters.do(
                    tensors.to_records, request, target, self._manifest.input_schema, self._outputs, min(limit, room)
                )
            except TooLargeError as error:
                raise disk.no_room() if room < limit else ApiError(413, str(error)) from error
            except DataError as error:
                raise ApiError(400, str(error)) from error
            if target.stat().st_size > SMALL_BYTES:
                return Upload(file=target)
            content = target.read_bytes()
            target.unlink()
            return Upload(content=content)

    async def answer(self, server: Services, job: Job, ended: JobResult, _wish: Wish) -> Response:
        if ended.error is not None or ended.result is None:
            raise ApiError(400, ended.error or "the job failed", {ID_HEADER: job.id})
        return await server.convert(self._of_result, server, job, ended)

    def _of_result(self, server: Services, job: Job, ended: JobResult) -> Response:
        manifest, asked = self._manifest, self._asked
        head = {"model_name": manifest.name, "model_version": manifest.version}
        head |= {} if asked["id"] is None else {"id": asked["id"]}
        limit = manifest.limits.upload_bytes
        try:
            with _result_file(server, ended) as file, data.new_file(server.uploads) as target:
                if file.stat().st_size > bounds.INFERENCE_RESULT_BYTES:
                    raise TooLargeError(f"it is larger than {bounds.INFERENCE_RESULT_BYTES} bytes")
                made = data.of_model(job, file, _JSON, manifest, server.uploads, server.converters)
                try:
                    what = (manifest.output_schema, asked["outputs"], head, limit)
                    server.converters.do(tensors.of_records, made or file, target, *what)
                finally:
                    if made is not None:
                        made.unlink()
                return results.once(target, _HEADERS)
        except FileNotFoundError as error:
            raise no_job() from error
        except DataError as error:
            text = f"the result of the job {job.id} cannot be had as tensors, but at data/result: {error}"
            raise ApiError(400, text, {ID_HEADER: job.id}) from error


@contextmanager
def _result_file(server: Services, ended: JobResult) -> Iterator[Path]:
    if ended.content is None:
        yield server.store.result_path(ended.result or "")
        return
    with NamedTemporaryFile(dir=server.uploads) as file:
        file.write(ended.content)
        file.flush()
        yield Path(file.name)


def _model(request: Request) -> Manifest:
    manifest = services.of(request).manifest
    name, version = request.path_params["model"], request.path_params.get("version", manifest.version)
    if (name, version) != (manifest.name, manifest.version):
        raise ApiError(404, f"there is no such model here: this server has {manifest.name}, version {manifest.version}")
    return manifest


def _tensors(fields: Sequence[Field], side: str) -> list[dict[str, Any]]:
    try:
        return tensors.metadata(fields)
    except DataError as error:
        raise ApiError(400, f"no inference by tensors, but by data/run-job; of the {side}: {error}") from error


def _answer(content: dict[str, Any], status: int = 200) -> Response:
    return Response(envelope.json_bytes(content), status, _HEADERS)


_MODEL = f"{INFERENCE}/models/{{model}}"
ROUTES = [
    Route(INFERENCE, server_metadata, methods=["GET"]),
    Route(f"{INFERENCE}/", server_metadata, methods=["GET"]),
    Route(f"{INFERENCE}/health/live", live, methods=["GET"]),
    Route(f"{INFERENCE}/health/ready", ready, methods=["GET"]),
    *(
        route
        for path in (_MODEL, f"{_MODEL}/versions/{{version}}")
        for route in (
            Route(path, model_metadata, methods=["GET"]),
            Route(f"{path}/ready", model_ready, methods=["GET"]),
            Route(f"{path}/infer", infer, methods=["POST"]),
        )
    ),
]
