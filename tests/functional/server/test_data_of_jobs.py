"""Data reach the model and results come back in the forms that were asked for; limits hold, refusals are told whole."""

from pathlib import Path
from typing import Any

import pytest

from model_server import bounds
from model_server.api import data, openapi
from model_server.api.accept import OWN, Wish
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload
from model_server.converters import Converters
from model_server.jobs.job import Job, State
from model_server.jobs.store import SMALL_BYTES
from model_server.tabular.convert import Plan
from model_server.tabular.mime import Form
from model_server.tabular.problems import DataError, TooLargeError

from .application import Application

CONVERTERS = Converters()
FIELDS = [{"Path": "n", "DataType": "number"}, {"Path": "o", "DataType": "string", "Optional": True}]
TYPES = ["text/csv; header=present", "text/csv; header=absent", "application/json"]
RENAME = '[{"source":"a","destination":"n"}]'


def manifest(folder: Path, **changes: Any) -> Any:
    app = Application(folder / "app", changes)
    app.close()
    return app.services.manifest


def job(**changes: Any) -> Job:
    known = dict.fromkeys(Job.__dataclass_fields__)
    return Job(**{**known, "id": "1", "state": State.CREATED, "mime_type": TYPES[0], **changes})


@pytest.mark.parametrize(
    ("changes", "fields", "plan", "rows", "problems"),
    [
        ({}, {}, None, 2, []),
        ({}, {"mimetype": "application/json"}, Plan(Form.JSON, Form.CSV), None, []),
        ({"input_types": TYPES[1:]}, {"mimetype": TYPES[0]}, Plan(Form.CSV, Form.BARE_CSV), 2, []),
        ({"input_types": ["image/png"]}, {}, None, None, []),
        (
            *({"input_types": ["image/png"]}, {"mappings": RENAME, "outputmappings": RENAME}, None, None),
            ["Mappings are for structured data, CSV or JSON; this is image/png"],
        ),
        (
            *({}, {"mimetype": "image/png", "mappings": "["}, None, 2),
            [f"this MimeType is not supported; the model takes: {', '.join(TYPES)}"],
        ),
        (
            *({}, {"mappings": "[]", "outputmappings": "{}"}, None, 2),
            [
                "Mappings: the mapping is empty; leave the field empty to use none",
                "OutputMappings: a mapping is a JSON array of objects with source, destination and perhaps "
                "defaultValue",
            ],
        ),
        (
            *({"output_types": ["image/png"]}, {"outputmappings": RENAME}, None, 2),
            ["OutputMappings: a mapping is for structured data, CSV or JSON; this model gives image/png"],
        ),
    ],
)  # fmt: skip
def test_a_form_is_understood(
    tmp_path: Path,
    changes: dict[str, Any],
    fields: dict[str, str],
    plan: Plan | None,
    rows: int | None,
    problems: list[str],
) -> None:
    found: list[str] = []
    form = Upload(b"", fields=fields)
    form.lines.feed(b"a\n1\n2\n")
    asked, conversion = data.understand(form, manifest(tmp_path, **changes), found)
    assert (conversion, asked.rows, found) == (plan, rows, problems)
    assert asked.mappings == (fields.get("mappings") or None)
    assert asked.output_mappings == (fields.get("outputmappings") or None)


@pytest.mark.parametrize(("kind", "rows"), [(TYPES[0], 2), (TYPES[1], 3), ("application/json", None)])
def test_rows_are_those_of_a_table(tmp_path: Path, kind: str, rows: int | None) -> None:
    form = Upload(b"", fields={"mimetype": kind})
    form.lines.feed(b"a\n1\n2\n")
    assert data.understand(form, manifest(tmp_path), [])[0].rows == rows


@pytest.mark.parametrize(
    ("limit", "room", "status", "message"),
    [
        (11, 11, 0, ""),
        (10, 11, 400, "the data is not what the model takes: the data is larger than 10 bytes once it is converted"),
        (10, 10, 400, "the data is not what the model takes: the data is larger than 10 bytes once it is converted"),
        (
            *(11, 10, 507),
            "the data volume has no room for this job; nothing was stored: delete old jobs, or send it again later",
        ),
    ],
)
def test_what_is_made_for_the_model_has_its_limit_and_its_room(
    tmp_path: Path, limit: int, room: int, status: int, message: str
) -> None:
    file = tmp_path / "sent"
    file.write_bytes(b"a\n1\n")
    plan = Plan(Form.CSV, Form.JSON)
    if not status:
        made = data.to_model(file, plan, limit, room, CONVERTERS)
        assert (made.parent, made.read_bytes()) == (tmp_path, b'[{"a":"1"}]')
        return
    with pytest.raises(ApiError) as caught:
        data.to_model(file, plan, limit, room, CONVERTERS)
    assert (caught.value.status, caught.value.message) == (status, message)
    assert list(tmp_path.iterdir()) == [file]


def test_data_that_the_model_does_not_take_is_refused_in_a_file_and_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "sent"
    file.write_bytes(b"a;b\n")
    message = (
        "the data is not what the model takes: the columns of the CSV are separated by semicolons: save it as CSV with "
        "commas, in UTF-8 (of a spreadsheet: CSV UTF-8)"
    )
    plan = Plan(Form.CSV, Form.JSON)
    for refused in (
        lambda: data.to_model(file, plan, 99, 99, CONVERTERS),
        lambda: data.small_to_model(b"a;b\n", plan),
    ):
        with pytest.raises(ApiError) as caught:
            refused()
        assert (caught.value.status, caught.value.message) == (400, message)
    assert data.small_to_model(b"a\n1\n", plan) == b'[{"a":"1"}]'
    rows = (SMALL_BYTES - 1) // 2
    assert len(data.small_to_model(b"1\n" * rows, Plan(Form.BARE_CSV, Form.BARE_CSV))) <= SMALL_BYTES
    with pytest.raises(TooLargeError):
        data.small_to_model(b"1\n" * (rows + 2), Plan(Form.BARE_CSV, Form.BARE_CSV))


def test_large_data_is_made_ready_when_its_job_begins(tmp_path: Path) -> None:
    sent, target = tmp_path / "sent", tmp_path / "target"
    sent.write_bytes(b"a,b\n1,2\n")
    model = manifest(tmp_path, schema={"input": FIELDS})
    data.prepare(job(mappings=RENAME), sent, target, model, CONVERTERS)
    assert target.read_bytes() == b"n,o\n1,\n"
    for changes, message in (
        ({"mime_type": "image/png"}, "this image takes other data than the one that took the job"),
        ({"mappings": "[]"}, "Mappings: the mapping is empty; leave the field empty to use none"),
        ({}, "row 1, n is missing"),
    ):
        with pytest.raises(DataError) as caught:
            data.prepare(job(**changes), sent, target, model, CONVERTERS)
        assert str(caught.value) == message


def test_a_sample_is_made_ready_as_data_is(tmp_path: Path) -> None:
    sample, mapping, target = tmp_path / "sample", tmp_path / "mapping", tmp_path / "target"
    sample.write_bytes(b"a,b\r\n1,2\r\n")
    mapping.write_text(RENAME)
    plain = manifest(tmp_path)
    data.of_sample(sample, target, None, plain, CONVERTERS)
    assert target.read_bytes() == b"a,b\r\n1,2\r\n"
    data.of_sample(sample, target, mapping, plain, CONVERTERS)
    assert target.read_bytes() == b"n\n1\n"
    mapping.write_text("[]")
    with pytest.raises(DataError) as caught:
        data.of_sample(sample, target, mapping, plain, CONVERTERS)
    assert str(caught.value) == "Mappings: the mapping is empty; leave the field empty to use none"


JSON, CSV = Wish(Form.JSON), Wish(Form.CSV)


@pytest.mark.parametrize(
    ("changes", "content", "wish", "mapping", "expected"),
    [
        ({}, b"a\n1\n", OWN, None, None),
        ({}, b"a\n1\n", CSV, None, None),
        ({}, b"a\n1\n", JSON, None, b'[{"a":1}]'),
        ({}, b"a\n1\n", Wish(Form.JSON, as_text=True), None, b'[{"a":"1"}]'),
        ({}, b"a\n1\n", OWN, RENAME, b"n\n1\n"),
        ({}, b"a\n1\n", JSON, RENAME, b'[{"n":1}]'),
        ({"output_types": ["application/json"]}, b'{"a":1}', JSON, None, None),
        ({"output_types": ["application/json"]}, b'{"a":NaN}', JSON, None, b'{"a":null}'),
        ({"output_types": ["application/json"]}, b'{"a":1}', CSV, None, b"a\n1\n"),
        ({"output_types": ["text/plain"]}, b'{"a":1}', JSON, None, None),
        ({"output_types": ["*/*"]}, b'{"a":1}', CSV, None, b"a\n1\n"),
        ({"output_types": ["*/*"]}, b"1,2\n", JSON, None, b'[{"1":1,"2":2}]'),
        ({"output_types": ["*/*"]}, b"prose", JSON, None, "it is neither JSON nor CSV"),
        ({"output_types": ["text/plain"]}, b"prose", JSON, None, "record 1 of the JSON is damaged: Expecting value"),
        ({"output_types": ["text/csv; header=absent"], "schema": {"output": FIELDS}}, b"1,x\n", JSON, None, (
            b'[{"n":1,"o":"x"}]'
        )),
        ({"limits": {"timeout_seconds": 20, "upload_bytes": 10}}, b"a\n11\n", JSON, None, b'[{"a":11}]'),
        ({"limits": {"timeout_seconds": 20, "upload_bytes": 9}}, b"a\n11\n", JSON, None, (
            "the data is larger than 9 bytes once it is converted"
        )),
    ],
)  # fmt: skip
def test_a_result_is_had_as_it_is_wished(
    tmp_path: Path,
    changes: dict[str, Any],
    content: bytes,
    wish: Wish,
    mapping: str | None,
    expected: bytes | str | None,
) -> None:
    model = manifest(tmp_path, **changes)
    file, folder = tmp_path / "result", tmp_path / "made"
    file.write_bytes(content)
    folder.mkdir()
    if isinstance(expected, str):
        with pytest.raises(ApiError) as caught:
            data.of_model(job(output_mappings=mapping), file, wish, model, folder, CONVERTERS)
        message = f"the result cannot be had in this form: {expected}"
        assert (caught.value.status, caught.value.message) == (400, message)
        assert not list(folder.iterdir())
        return
    made = data.of_model(job(output_mappings=mapping), file, wish, model, folder, CONVERTERS)
    assert (None if made is None else made.read_bytes()) == expected
    assert file.read_bytes() == content


@pytest.mark.parametrize(("size", "apart"), [(10, False), (11, True)])
def test_what_costs_much_is_converted_by_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, apart: bool
) -> None:
    monkeypatch.setattr(bounds, "QUICK_COST", 10)
    called: list[tuple[str, Any, ...]] = []

    class Noted:
        def do(self, *arguments: Any) -> None:
            called.append(("here", *arguments))

        def do_apart(self, *arguments: Any) -> None:
            called.append(("apart", *arguments))

    file, plan = tmp_path / "sent", Plan(Form.CSV, Form.JSON)
    file.write_bytes(b"x" * size)
    noted: Any = Noted()
    made = data.to_model(file, plan, 99, 98, noted)
    assert called == [("apart" if apart else "here", data.convert.convert_input, file, made, plan, 98)]


def contents(*kinds: str) -> dict[str, Any]:
    other = {"type": "string", "format": "binary"}
    return {kind: {"schema": {} if kind == "application/json" else other} for kind in kinds}


@pytest.mark.parametrize(
    ("changes", "file", "bodies", "results"),
    [
        ({}, "The data file.", TYPES, [TYPES[0], "application/json", "text/csv"]),
        (
            {"schema": {"input": FIELDS}, "output_types": ["application/json"]},
            *("The data file. Its fields: n (number), o (string, optional).", TYPES, ["application/json", "text/csv"]),
        ),
        (
            {"input_types": ["image/png"], "output_types": ["text/plain"]},
            *("The data file.", ["image/png"], ["text/plain"]),
        ),
        ({"output_types": ["*/*"]}, "The data file.", TYPES, ["*/*", "application/json", "text/csv"]),
    ],
)
def test_the_description_has_the_models_own_facts(
    tmp_path: Path, changes: dict[str, Any], file: str, bodies: list[str], results: list[str]
) -> None:
    model = manifest(tmp_path, **changes)
    found = openapi.document(model, root="../")
    assert found["servers"] == [{"url": "../"}]
    properties = found["components"]["requestBodies"]["Job"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert properties["File"]["description"] == file
    assert properties["MimeType"]["enum"] == ["", *bodies]
    assert properties["MimeType"]["description"].endswith(f"else {bodies[0]}.")
    mapping = "A JSON array of objects with source, destination and perhaps defaultValue."
    assert properties["Mappings"]["description"].endswith(mapping)
    assert found["components"]["responses"]["TooLarge"]["description"] == "The file is larger than 100000 bytes"
    assert found["info"] == {
        "title": "iris",
        "version": "1.2",
        "description": "Send a data file as a job, ask for its status, fetch its result. Or all in one: /data/run-job.",
        "x-build-id": "b1d",
    }
    assert found["paths"]["/data/run-job"]["post"]["description"] == (
        "For example:\n\n    curl -F File=@data ADDRESS/data/run-job\n\n"
        "Field names are compared without regard to case. An empty field counts as absent."
    )
    assert found["paths"]["/invocations"]["post"]["requestBody"]["content"] == contents(*bodies)
    assert found["paths"]["/data/run-job"]["post"]["responses"]["200"]["content"] == contents(*results)
    assert "security" not in found
    locked = openapi.document(model, True)
    assert locked["servers"] == [{"url": "../../"}]
    assert locked["security"] == [{"key": []}]
    assert locked["components"]["securitySchemes"] == {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    assert "$" not in str(openapi._filled({"a": ["$name of $root"]}, {"name": "n", "root": "r"}))
