"""Results from CSV to JSON and back."""

import csv
import io
import json
from typing import Any


class ConversionError(ValueError):
    """The data cannot be had in the form that was asked for; the text says why."""


def csv_to_records(content: bytes) -> list[dict[str, str]]:
    """Turns CSV with a header line into records of texts, in order.

    Raises:
        ConversionError: not UTF-8, no header, a repeated column, or a row of another length than the header.
    """
    rows = list(_rows(content))
    if not rows:
        raise ConversionError("the CSV is empty: it has no header line")
    header, *records = rows
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise ConversionError(f"the CSV has the column {repeated[0]!r} more than once")
    for number, row in enumerate(records, start=1):
        if len(row) != len(header):
            raise ConversionError(f"row {number} of the CSV has {len(row)} fields, its header has {len(header)}")
    return [dict(zip(header, row, strict=True)) for row in records]


def records_to_csv(content: bytes) -> bytes:
    """Turns a JSON array of flat records into CSV; columns in order of first appearance, null and absent are empty.

    Raises:
        ConversionError: not JSON, or not an array of flat objects.
    """
    records = parse_json(content)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ConversionError("only a JSON array of objects can be had as CSV")
    columns = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for number, record in enumerate(records, start=1):
        nested = [name for name, value in record.items() if isinstance(value, dict | list)]
        if nested:
            raise ConversionError(f"record {number} is not flat: {nested[0]!r} holds an object or an array")
        writer.writerow([_cell(record.get(name)) for name in columns])
    return text.getvalue().encode()


def parse_json(content: bytes) -> Any:
    """Reads JSON.

    Raises:
        ConversionError: it is not JSON (NaN and Infinity are not).
    """
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConversionError("the result is not JSON") from error


def _rows(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except UnicodeDecodeError as error:
        raise ConversionError("the CSV is not UTF-8") from error
    except csv.Error as error:
        raise ConversionError(f"the CSV is damaged: {error}") from error


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
