"""The OpenAPI document: what this server really answers, no more."""

from typing import Any

from model_server.manifest import Manifest
from model_server.tabular import mime

_TRIPLE = {"$ref": "#/components/schemas/JobEnvelope"}
_FAILURE = {"$ref": "#/components/schemas/FailureEnvelope"}


def document(manifest: Manifest) -> dict[str, Any]:
    """Describes the API of the model's server, OpenAPI 3.0."""
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
            "/data/status/{id}": {"get": _status()},
            "/data/result/{id}": {"get": _result(manifest)},
            "/data/result/json/{id}": {"get": _result_json()},
            "/data/result/csv/{id}": {"get": _result_csv()},
            "/data/delete/{id}": {"delete": _delete()},
        },
        "components": {"schemas": _schemas()},
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
        "Pipeline": {"type": "string", "description": "Accepted and ignored."},
    }
    form = {"type": "object", "required": ["File"], "properties": properties}
    answers = {
        "200": _answer("The job is stored; its status is always Created", _json(_TRIPLE)),
        "400": _answer("The form, a mapping or the data is wrong: every problem, by row and path", _json(_FAILURE)),
        "413": _answer(f"The file is larger than {manifest.limits.upload_bytes} bytes", _json(_FAILURE)),
        "503": _answer("The server is about to stop", _json(_FAILURE)),
    }
    return {
        **_operation("addJob", "Sends a data file as a job", "Jobs", answers),
        "description": "Field names are compared without regard to case. An empty field counts as absent.",
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
    }


def _file_text(manifest: Manifest) -> str:
    """What the data file must hold."""
    if not manifest.input_schema:
        return "The data file."
    fields = [f"{field.path} ({field.type}{', optional' if field.optional else ''})" for field in manifest.input_schema]
    return f"The data file. Its fields: {', '.join(fields)}."


def _status() -> dict[str, Any]:
    text = "The job's status. For a failed job isError is true and errorMessage is the program's error."
    return _for_job("status", "The status of a job", "Jobs", {"200": _answer(text, _json(_TRIPLE))})


def _delete() -> dict[str, Any]:
    text = "The job, its input and its result are gone; its status is Deleted"
    return _for_job("deleteJob", "Deletes a job, also while it runs", "Jobs", {"200": _answer(text, _json(_TRIPLE))})


def _result(manifest: Manifest) -> dict[str, Any]:
    # JSON may be any value; what is read as text need not be any encoding's.
    is_json = mime.form(manifest.output_types[0]) is mime.Form.JSON
    content = {manifest.output_types[0]: {"schema": {} if is_json else {"type": "string", "format": "binary"}}}
    answers = {
        "200": _answer("The bytes that the model wrote, through the job's output mapping if it has one", content),
        "400": _answer("The output mapping does not fit the result", _json(_FAILURE)),
        **_no_result(),
    }
    return _for_job("result", "The result as the model wrote it", "Results", answers)


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


def _no_result() -> dict[str, Any]:
    return {"409": _answer("The job is not complete, or it failed", _json(_FAILURE))}


def _for_job(operation_id: str, summary: str, tag: str, answers: dict[str, Any]) -> dict[str, Any]:
    job_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    answers = {**answers, "404": _answer("There is no such job", _json(_FAILURE))}
    return {**_operation(operation_id, summary, tag, answers), "parameters": [job_id]}


def _operation(operation_id: str, summary: str, tag: str, answers: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": operation_id, "summary": summary, "tags": [tag], "responses": answers}


def _answer(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": content}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _schemas() -> dict[str, Any]:
    nullable = {"type": "string", "nullable": True}
    status = {"type": "string", "enum": ["Created", "InProgress", "Complete", "Error", "Deleted"]}
    job = {
        "type": "object",
        "required": ["id", "status", "errorMessage"],
        "properties": {"id": {"type": "string", "format": "uuid"}, "status": status, "errorMessage": nullable},
    }
    flags = {"isError": {"type": "boolean"}, "errorMessage": nullable}
    return {
        "Job": job,
        "JobEnvelope": {
            "type": "object",
            "required": ["data", "isError", "errorMessage"],
            "properties": {"data": {"$ref": "#/components/schemas/Job"}, **flags},
        },
        "FailureEnvelope": {
            "type": "object",
            "required": ["data", "isError", "errorMessage"],
            "properties": {
                "data": {"nullable": True, "type": "object"},
                "isError": {"type": "boolean", "enum": [True]},
                "errorMessage": {"type": "string"},
            },
        },
    }
