"""AWS's query protocol by botocore's models: a request's form as values, and an answer as XML."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape


def asked(shape: Any, body: bytes) -> dict[str, Any]:
    """Return the values of a request."""
    return dict(_read(shape, "", dict(parse_qsl(body.decode(), keep_blank_values=True))) or {})


def answer(operation: Any, said: Mapping[str, Any]) -> bytes:
    """Return the XML of an answer."""
    name, shape = operation.name, operation.output_shape
    result = f"<{name}Result>{_written(shape, said)}</{name}Result>" if shape else ""
    told = "<ResponseMetadata><RequestId>rig</RequestId></ResponseMetadata>"
    return f"<{name}Response>{result}{told}</{name}Response>".encode()


def error(code: str, message: str) -> bytes:
    """Return the XML of a refusal."""
    told = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    return f"<ErrorResponse><Error>{told}</Error><RequestId>rig</RequestId></ErrorResponse>".encode()


def _read(shape: Any, at: str, form: Mapping[str, str]) -> Any:
    if shape.type_name == "structure":
        start = f"{at}." if at else ""
        members = {name: _read(member, start + name, form) for name, member in shape.members.items()}
        return {name: value for name, value in members.items() if value is not None} or None
    if shape.type_name == "list":
        found = []
        while (value := _read(shape.member, f"{at}.member.{len(found) + 1}", form)) is not None:
            found.append(value)
        return found or None
    value = form.get(at)
    return value == "true" if shape.type_name == "boolean" and value is not None else value


def _written(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        unknown = value.keys() - shape.members.keys()
        assert not unknown, f"AWS's {shape.name} has no {unknown}"
        return "".join(f"<{name}>{_written(shape.members[name], each)}</{name}>" for name, each in value.items())
    if shape.type_name == "list":
        return "".join(f"<member>{_written(shape.member, each)}</member>" for each in value)
    return str(value).lower() if shape.type_name == "boolean" else escape(str(value))
