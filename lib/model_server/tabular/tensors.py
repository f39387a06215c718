"""Tensors of the Open Inference Protocol, one a column, and their records."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from model_server import bounds
from model_server.tabular import records
from model_server.tabular.paths import Keys
from model_server.tabular.problems import DataError, Problems
from model_server.tabular.schema import DataType, Field, TypeProblem, coerce

_INTEGERS: Final = {
    **{f"INT{bits}": range(-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": range(2**bits) for bits in (8, 16, 32, 64)},
}
#: The protocol's types of a field; results and metadata have the first. FP16 has no form in JSON.
_TYPES: Final[Mapping[DataType, Sequence[str]]] = {
    DataType.NUMBER: ("FP64", "FP32", *_INTEGERS),
    DataType.STRING: ("BYTES",),
    DataType.DATE: ("BYTES",),
    DataType.BOOLEAN: ("BOOL",),
}
#: Extensions of the protocol that would change what is asked for; what else is a parameter has no meaning here.
_EXTENSIONS = ("binary_data_size", "classification", "shared_memory_region", "sequence_id")


def metadata(fields: Sequence[Field]) -> list[dict[str, Any]]:
    """Return the fields' tensors; DataError: none, or nested."""
    nested = [str(field.path) for field in fields if len(field.path.steps) > 1]
    if nested:
        raise DataError(f"tensors are columns, and these fields are nested: {', '.join(nested)}")
    if not fields:
        raise DataError("tensors are columns of a schema, and this model declares none")
    return [{"name": field.path.name, "datatype": _TYPES[field.type][0], "shape": [-1]} for field in fields]


def to_records(source: Path, target: Path, fields: Sequence[Field], names: Sequence[str], limit: int) -> dict[str, Any]:
    """Write a request's records as JSON of at most `limit` bytes, or raise DataError.

    Returns:
        the request's `id` (or None) and wanted `outputs`.
    """
    document = records.Document(source)
    if document.is_array:
        raise DataError("the request must be one JSON object with inputs")
    ((_, request),) = document.records()
    problems = Problems()
    columns = _columns(request, {field.path.name: field for field in fields}, problems)
    wanted = _wanted(request, names, problems)
    request_id = request.get("id") if isinstance(request, dict) else None
    if not isinstance(request_id, str | None) or len(request_id or "") > bounds.INFERENCE_ID_CHARACTERS:
        problems.add(f"id must be a text of at most {bounds.INFERENCE_ID_CHARACTERS} characters")
    problems.raise_if_any()
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    records.write_json(rows, is_array=True, target=target, limit=limit)
    return {"id": request_id, "outputs": wanted}


def of_records(
    source: Path, target: Path, fields: Sequence[Field], names: Sequence[str], head: Mapping[str, Any], limit: int
) -> None:
    """Write an answer of at most `limit` bytes, made of JSON records, or raise DataError."""
    wanted = [field for name in names for field in fields if field.path.name == name]
    columns: dict[str, list[Any]] = {field.path.name: [] for field in wanted}
    problems = Problems()
    for number, record in records.Document(source, is_result=True).records():
        if not isinstance(record, dict):
            raise DataError(f"row {number} is no record")
        keys = Keys()
        for field in wanted:
            name = field.path.name
            key = keys.of(record, name)
            value = None if key is None else record[key]
            if value is None or (value == "" and field.type is not DataType.STRING):
                problems.add(f"row {number}, {name} has no value, and a tensor cannot say so")
                continue
            try:
                columns[name].append(coerce(value, field.type))
            except TypeProblem as problem:
                problems.add(f"row {number}, {name}: {problem}")
    problems.raise_if_any()
    outputs = [
        {"name": name, "datatype": _TYPES[field.type][0], "shape": [len(values)], "data": values}
        for field, (name, values) in zip(wanted, columns.items(), strict=True)
    ]
    records.write_json([{**head, "outputs": outputs}], is_array=False, target=target, limit=limit)


def _columns(request: Any, fields: Mapping[str, Field], problems: Problems) -> dict[str, list[Any]]:
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise DataError("the request must be one JSON object with inputs, a list of tensors")
    _refuse_extensions(request, "the request", problems)
    columns: dict[str, list[Any]] = {}
    for number, tensor in enumerate(inputs, start=1):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            problems.add(f"input {number} must be an object with name, shape, datatype and data")
        elif name not in fields:
            problems.add(f"input {name[:80]!r} is not one of the model: {', '.join(fields)}")
        elif name in columns:
            problems.add(f"input {name!r} is there twice")
        else:
            _refuse_extensions(tensor, f"input {name!r}", problems)
            columns[name] = list(_values(tensor, fields[name], problems))
    for name, field in fields.items():
        if not field.optional and name not in columns:
            problems.add(f"input {name!r} is missing")
    problems.raise_if_any()
    counts = {name: len(values) for name, values in columns.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"all inputs must have the same first dimension; they have {counts}")
    return columns


def _values(tensor: Mapping[str, Any], field: Field, problems: Problems) -> Iterator[Any]:
    name, shape, kind, data = field.path.name, tensor.get("shape"), tensor.get("datatype"), tensor.get("data")
    taken = _TYPES[field.type]
    if kind not in taken:
        text = f"input {name!r} is a {field.type}: its datatype must be {' or '.join(taken)}"
        problems.add(f"{text}{', as FP16 has no form in JSON' if kind == 'FP16' else ''}")
        return
    if not isinstance(data, list):
        problems.add(f"input {name!r} needs data, a list; binary tensors are not taken")
        return
    if data and all(isinstance(row, list) and len(row) == 1 for row in data) and _is_shape(shape, len(data), 2):
        data = [row[0] for row in data]
    elif not _is_shape(shape, len(data), 2) and not _is_shape(shape, len(data), 1):
        problems.add(f"input {name!r} is a column: its shape must be [N] or [N, 1], and its data N values")
        return
    for row, value in enumerate(data, start=1):
        if not _is(value, str(kind)):
            problems.add(f"input {name!r}, row {row} is no {kind}")
        yield value


def _is_shape(shape: object, count: int, dimensions: int) -> bool:
    return isinstance(shape, list) and shape == [count, 1][:dimensions] and not any(item is True for item in shape)


def _is(value: object, kind: str) -> bool:
    if kind == "BYTES":
        return isinstance(value, str)
    if kind == "BOOL" or isinstance(value, bool):
        return kind == "BOOL" and isinstance(value, bool)
    if kind in _INTEGERS:
        return isinstance(value, int) and value in _INTEGERS[kind]
    return isinstance(value, int | float)


def _wanted(request: Mapping[str, Any], names: Sequence[str], problems: Problems) -> list[str]:
    outputs = request.get("outputs")
    if not outputs:
        return list(names)
    wanted: list[str] = []
    for output in outputs if isinstance(outputs, list) else [outputs]:
        name = output.get("name") if isinstance(output, dict) else None
        if not isinstance(name, str) or name not in names:
            problems.add(f"outputs must name some of {', '.join(names)}, each as an object with name")
        elif name not in wanted:
            _refuse_extensions(output, f"output {name!r}", problems)
            wanted.append(name)
    return wanted


def _refuse_extensions(part: Mapping[str, Any], what: str, problems: Problems) -> None:
    parameters = part.get("parameters")
    if not isinstance(parameters, dict):
        if parameters is not None:
            problems.add(f"{what}: parameters must be an object")
        return
    for name in _EXTENSIONS:
        if parameters.get(name):
            problems.add(f"{what}: the extension with the parameter {name} is not part of this server")
