"""The schemas that several answers of the OpenAPI document share."""

from typing import Any


def schemas() -> dict[str, Any]:
    """Return the schemas of `#/components/schemas`, by name."""
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
        "ListedJob": _listed_job(),
        "JobListEnvelope": {
            "type": "object",
            "required": ["data", "isError", "errorMessage"],
            "properties": {
                "data": {
                    "type": "object",
                    "required": ["jobs", "offset", "limit", "total"],
                    "properties": {
                        "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/ListedJob"}},
                        **{name: {"type": "integer"} for name in ("offset", "limit", "total")},
                    },
                },
                **flags,
            },
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


def _listed_job() -> dict[str, Any]:
    moment = {"type": "string", "format": "date-time", "nullable": True}
    text = {"type": "string", "nullable": True}
    callback = {
        "type": "object",
        "nullable": True,
        "properties": {
            "state": {"type": "string", "nullable": True, "enum": ["waiting", "delivered", "failed", None]},
            "attempts": {"type": "integer"},
            "error": text,
        },
    }
    own = {
        "mimeType": {"type": "string"},
        "attempts": {"type": "integer"},
        "created": moment,
        "started": moment,
        "finished": moment,
        "callback": callback,
    }
    extra = {"type": "object", "required": list(own), "properties": own}
    return {"allOf": [{"$ref": "#/components/schemas/Job"}, extra]}
