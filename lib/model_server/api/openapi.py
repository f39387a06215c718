"""The OpenAPI document: exactly what this server answers."""

from typing import Any

from model_server.api.openapi_schemas import schemas
from model_server.manifest import Manifest
from model_server.tabular import mime

_TRIPLE = {"$ref": "#/components/schemas/JobEnvelope"}
_FAILURE = {"$ref": "#/components/schemas/FailureEnvelope"}


def document(manifest: Manifest, wants_key: bool = False) -> dict[str, Any]:
    """Describe the API of the model's server, OpenAPI 3.0."""
    described = _document(manifest)
    if wants_key:
        described["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
        described["security"] = [{"key": []}]
    return described


def _document(manifest: Manifest) -> dict[str, Any]:
    return {
        "openapi": "3.0.3",
        "info": {
            "title": manifest.name,
            "version": manifest.version,
            "description": "Send a data file as a job, ask for its status, fetch its result.",
            "x-build-id": manifest.build_id,
        },
        # Relative to this document: right on any host and port, and behind any path prefix.
        "servers": [{"url": "../../"}],
        "paths": {
            "/health": {"get": _health()},
            "/data/supported-mime-types": {"get": _mime_types(manifest)},
            "/data/add-job": {"post": _add_job(manifest)},
            "/data/run-job": {"post": _run_job(manifest)},
            "/data/status/{id}": {"get": _status()},
            "/data/result/{id}": {"get": _result(manifest)},
            "/data/result/json/{id}": {"get": _result_json()},
            "/data/result/csv/{id}": {"get": _result_csv()},
            "/data/delete/{id}": {"delete": _delete()},
            "/data/jobs": {"get": _jobs()},
            "/data/mapping": {"post": _mapping(manifest)},
            "/api/license": {"get": _license(), "post": _apply_license()},
            "/api/license/file": {"post": _upload_license()},
            "/ready": {"get": _ready()},
            "/metrics": {"get": _metrics()},
        },
        "components": {"schemas": schemas()},
    }


def _health() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string", "enum": ["Health check is ok"]}}}
    header = {"X-Model-Build-Id": {"schema": {"type": "string"}, "description": "The image's build id."}}
    return _operation(
        "health", "Tells that the server is up", "Server", {"200": {**_answer("Up", text), "headers": header}}
    )


def _mime_types(manifest: Manifest) -> dict[str, Any]:
    names = {"type": "array", "items": {"type": "string"}}
    schema = {
        "type": "object",
        "required": ["inputTypes", "outputTypes"],
        "properties": {
            "inputTypes": {**names, "example": list(mime.convertible(manifest.input_types))},
            "outputTypes": {**names, "example": list(mime.convertible(manifest.output_types))},
        },
    }
    answers = {"200": _answer("The MIME types, without an envelope", _json(schema))}
    return _operation("supportedMimeTypes", "The MIME types that the model takes and gives", "Server", answers)


def _add_job(manifest: Manifest) -> dict[str, Any]:
    mapping = "JSON array of objects with source, destination and perhaps defaultValue, for structured data only: "
    properties = {
        "File": {"type": "string", "format": "binary", "description": _file_text(manifest)},
        "MimeType": {
            "type": "string",
            "description": "The file's MIME type. Empty: the part's Content-Type if the model takes it, "
            f"else {manifest.input_types[0]}. Supported: {', '.join(mime.convertible(manifest.input_types))}.",
        },
        "Mappings": {"type": "string", "description": f"{mapping}from the file's fields to the model's."},
        "OutputMappings": {"type": "string", "description": f"{mapping}from the fields of the result to yours."},
        "CallbackUrl": {
            "type": "string",
            "description": "http or https; called by POST with the status envelope as JSON when the job is over.",
        },
        "Pipeline": {"type": "string", "description": "Accepted and ignored."},
    }
    form = {"type": "object", "required": ["File"], "properties": properties}
    answers = {
        "200": _answer("The job is stored; its status is always Created", _json(_TRIPLE)),
        "400": _answer("The form, a mapping or the data is wrong: every problem, by row and path", _json(_FAILURE)),
        "403": _answer("A valid license key is needed first", _json(_FAILURE)),
        "413": _answer(f"The file is larger than {manifest.limits.upload_bytes} bytes", _json(_FAILURE)),
        "415": _answer("The body is compressed; it must come as it is", _json(_FAILURE)),
        "422": _answer("The idempotency key was sent before, with other data", _json(_FAILURE)),
        "507": _answer("The data volume has no room; nothing was stored", _json(_FAILURE)),
    }
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Chosen by the client: the same key with the same form is the same job.",
        "schema": {"type": "string", "maxLength": 255},
    }
    return {
        **_operation("addJob", "Sends a data file as a job", "Jobs", answers),
        "description": "Field names are compared without regard to case. An empty field counts as absent.",
        "parameters": [key],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
    }


def _run_job(manifest: Manifest) -> dict[str, Any]:
    added = _add_job(manifest)
    refused = {"oneOf": [_TRIPLE, _FAILURE]}
    result = _result_content(manifest)
    answers = {
        **added["responses"],
        "200": _answer("The bytes that the model wrote, through the job's output mapping if it has one", result),
        "202": _answer("The wait ran out, the job is stored and goes on: ask for its status", _json(_TRIPLE)),
        "400": _answer("As for addJob; or the program failed, then data is the job", _json(refused)),
        "404": _answer("The job was deleted meanwhile", _json(_FAILURE)),
    }
    header = {"schema": {"type": "string", "format": "uuid"}, "description": "The job's id."}
    for status in ("200", "202"):
        answers[status]["headers"] = {"X-Job-Id": header}
    text = "Seconds to wait for the end of the job; 50 at most count."
    return {
        **added,
        **_operation("runJob", "Sends a data file as a job and waits for its result", "Jobs", answers),
        "parameters": [*added["parameters"], _number("wait", text, 50, 0)],
    }


def _file_text(manifest: Manifest) -> str:
    """Describe what the data file must hold."""
    if not manifest.input_schema:
        return "The data file."
    fields = [f"{field.path} ({field.type}{', optional' if field.optional else ''})" for field in manifest.input_schema]
    return f"The data file. Its fields: {', '.join(fields)}."


def _status() -> dict[str, Any]:
    text = "The job's status. For a failed job isError is true and errorMessage is the program's error."
    operation = _for_job("status", "The status of a job", "Jobs", {"200": _answer(text, _json(_TRIPLE))})
    operation["parameters"].append(_number("wait", "Seconds to wait for the end of the job; 50 at most count.", 0, 0))
    operation["responses"]["400"] = _answer("wait is no whole number", _json(_FAILURE))
    return operation


def _delete() -> dict[str, Any]:
    text = "The job, its input and its result are gone; its status is Deleted"
    return _for_job("deleteJob", "Deletes a job, also while it runs", "Jobs", {"200": _answer(text, _json(_TRIPLE))})


def _result(manifest: Manifest) -> dict[str, Any]:
    text = "The bytes that the model wrote, through the job's output mapping if it has one"
    answers = {
        "200": _answer(text, _result_content(manifest)),
        "400": _answer("The output mapping does not fit the result", _json(_FAILURE)),
        **_no_result(),
    }
    return _for_job("result", "The result as the model wrote it", "Results", answers)


def _result_content(manifest: Manifest) -> dict[str, Any]:
    # JSON may be any value; what is read as text need not be any encoding's.
    is_json = mime.form(manifest.output_types[0]) is mime.Form.JSON
    return {manifest.output_types[0]: {"schema": {} if is_json else {"type": "string", "format": "binary"}}}


def _result_json() -> dict[str, Any]:
    answers = {
        "200": _answer("JSON as it is; CSV as an array of records, typed by the schema", _json({})),
        "400": _answer("The result is neither", _json(_FAILURE)),
        **_no_result(),
    }
    return _for_job("resultJson", "The result as JSON", "Results", answers)


def _result_csv() -> dict[str, Any]:
    answers = {
        "200": _answer(
            "CSV as it is; a JSON array of flat records as CSV", {"text/csv": {"schema": {"type": "string"}}}
        ),
        "400": _answer("The result is neither", _json(_FAILURE)),
        **_no_result(),
    }
    return _for_job("resultCsv", "The result as CSV", "Results", answers)


def _mapping(manifest: Manifest) -> dict[str, Any]:
    entry = {
        "type": "object",
        "required": ["source", "destination"],
        "properties": {
            "source": {"type": "string"},
            "destination": {"type": "string"},
            "defaultValue": {"nullable": True},
        },
    }
    form = {
        "type": "object",
        "required": ["File"],
        "properties": {
            "File": {"type": "string", "format": "binary", "description": "Data as it will be sent."},
            "MimeType": {"type": "string", "description": f"As for a job; empty: {manifest.input_types[0]}."},
        },
    }
    answers = {
        "200": _answer("The mapping; what was not found has no source", _json({"type": "array", "items": entry})),
        "400": _answer("The form is wrong, or the data is not structured", _json(_FAILURE)),
        "413": _answer(f"The file is larger than {manifest.limits.upload_bytes} bytes", _json(_FAILURE)),
        "415": _answer("The body is compressed; it must come as it is", _json(_FAILURE)),
        "507": _answer("The data volume has no room", _json(_FAILURE)),
    }
    return {
        **_operation("mapping", "Proposes the mapping file of a data set", "Jobs", answers),
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
    }


def _jobs() -> dict[str, Any]:
    answers = {
        "200": _answer("A page of the list", _json({"$ref": "#/components/schemas/JobListEnvelope"})),
        "400": _answer("limit or offset is wrong", _json(_FAILURE)),
    }
    parameters = [_number("limit", "Jobs of a page.", 50, 1, 500), _number("offset", "Jobs to pass over.", 0, 0)]
    return {**_operation("jobs", "The jobs, newest first", "Jobs", answers), "parameters": parameters}


def _license() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["data", "isError", "errorMessage"],
        "properties": {
            "data": {"type": "string", "example": "No License Key found"},
            "isError": {"type": "boolean"},
            "errorMessage": {"type": "string", "nullable": True},
        },
    }
    text = "Who the model is licensed to and until when; isError is true when that is over"
    return _operation("license", "The license", "License", {"200": _answer(text, _json(schema))})


def _apply_license() -> dict[str, Any]:
    schema = {"type": "object", "required": ["license"], "properties": {"license": {"type": "string"}}}
    content = {kind: {"schema": schema} for kind in ("application/json", "application/json-patch+json")}
    operation = _operation("applyLicense", "Applies a license key", "License", _license_answers())
    return {**operation, "requestBody": {"required": True, "content": content}}


def _upload_license() -> dict[str, Any]:
    part = {"type": "string", "format": "binary", "description": "The .gai_key file."}
    schema = {"type": "object", "required": ["License"], "properties": {"License": part}}
    operation = _operation("uploadLicense", "Applies a license key from a file", "License", _license_answers())
    return {**operation, "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def _license_answers() -> dict[str, Any]:
    done = {
        "type": "object",
        "required": ["isError", "errorMessage"],
        "properties": {"isError": {"type": "boolean"}, "errorMessage": {"type": "string", "nullable": True}},
    }
    return {
        "200": _answer("The key holds from now on", _json(done)),
        "400": _answer("No key, or not one for this model, or not valid; says why", _json(_FAILURE)),
        "413": _answer("The body is larger than any key", _json(_FAILURE)),
        "415": _answer("The body is compressed; it must come as it is", _json(_FAILURE)),
    }


def _ready() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    header = {"schema": {"type": "string"}, "description": "How the program is run, once that is known."}
    done = {**_answer("Jobs are taken and done", text), "headers": {"X-Model-Runner-Mode": header}}
    answers = {"200": done, "503": _answer("They are not; says why", text)}
    return _operation("ready", "Tells whether the server takes jobs and does them", "Server", answers)


def _metrics() -> dict[str, Any]:
    answers = {"200": _answer("Prometheus' text format", {"text/plain": {"schema": {"type": "string"}}})}
    return _operation("metrics", "The server's metrics", "Server", answers)


def _number(name: str, text: str, default: int, low: int, high: int | None = None) -> dict[str, Any]:
    """Describe a whole number of the query string."""
    schema = {"type": "integer", "minimum": low, "default": default, **({} if high is None else {"maximum": high})}
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _no_result() -> dict[str, Any]:
    return {"409": _answer("The job is not complete, or it failed", _json(_FAILURE))}


def _for_job(operation_id: str, summary: str, tag: str, answers: dict[str, Any]) -> dict[str, Any]:
    job_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    answers = {**answers, "404": _answer("There is no such job", _json(_FAILURE))}
    return {**_operation(operation_id, summary, tag, answers), "parameters": [job_id]}


def _operation(operation_id: str, summary: str, tag: str, answers: dict[str, Any]) -> dict[str, Any]:
    if tag in ("Jobs", "Results"):
        away = "The job queue does not answer now, or the server is about to stop: send it again after Retry-After"
        answers = {**answers, "503": _answer(away, _json(_FAILURE))}
    return {"operationId": operation_id, "summary": summary, "tags": [tag], "responses": answers}


def _answer(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": content}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
