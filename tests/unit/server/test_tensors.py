"""Tensors of the Open Inference Protocol: whole records, whole answers, whole sentences; and rows that are joined."""

import json
from pathlib import Path
from typing import Any

import pytest

from model_server import bounds
from model_server.tabular import tensors
from model_server.tabular.count import RowCounter
from model_server.tabular.joining import Records, cut, join, joinable, take_apart
from model_server.tabular.mime import Form
from model_server.tabular.problems import DataError, TooLargeError
from model_server.tabular.schema import parse_fields

FIELDS = parse_fields(
    [
        {"Path": "name", "DataType": "string"},
        {"Path": "age", "DataType": "number"},
        {"Path": "born", "DataType": "date", "Optional": True},
        {"Path": "ok", "DataType": "boolean", "Optional": True},
    ],
    True,
)
NAMES = ["name", "age", "born", "ok"]
NAME = {"name": "name", "datatype": "BYTES", "shape": [1], "data": ["x"]}
NUMBERS = "FP64 or FP32 or INT8 or INT16 or INT32 or INT64 or UINT8 or UINT16 or UINT32 or UINT64"


def read(folder: Path, request: Any, limit: int = 10_000) -> tuple[Any, Any]:
    """Return what is wanted, and the records."""
    source, target = folder / "source", folder / "target"
    source.write_text(request if isinstance(request, str) else json.dumps(request))
    wanted = tensors.to_records(source, target, FIELDS, NAMES, limit)
    return wanted, json.loads(target.read_bytes())


def age(**changes: Any) -> dict[str, Any]:
    return {"inputs": [NAME, {"name": "age", "datatype": "FP64", "shape": [1], "data": [7], **changes}]}


ALL: dict[str, Any] = {"id": None, "outputs": NAMES}


@pytest.mark.parametrize(
    ("request_", "wanted", "records"),
    [
        (age(), ALL, [{"name": "x", "age": 7}]),
        (age(data=[[7.5]], shape=[1, 1]), ALL, [{"name": "x", "age": 7.5}]),
        (age(shape=[1, 1]), ALL, [{"name": "x", "age": 7}]),
        ({**age(), "id": "i" * 255}, {**ALL, "id": "i" * 255}, [{"name": "x", "age": 7}]),
        ({**age(), "id": ""}, {**ALL, "id": ""}, [{"name": "x", "age": 7}]),
        ({**age(), "outputs": []}, ALL, [{"name": "x", "age": 7}]),
        (
            {**age(), "outputs": [{"name": "ok"}, {"name": "age", "parameters": {"other": 1}}, {"name": "ok"}]},
            *({**ALL, "outputs": ["ok", "age"]}, [{"name": "x", "age": 7}]),
        ),
        ({**age(), "outputs": {"name": "ok"}}, {**ALL, "outputs": ["ok"]}, [{"name": "x", "age": 7}]),
        ({**age(), "parameters": {"binary_data_size": 0, "x": 1}}, ALL, [{"name": "x", "age": 7}]),
        (
            {"inputs": [*age()["inputs"], {"name": "ok", "datatype": "BOOL", "shape": [1], "data": [True]}]},
            *(ALL, [{"name": "x", "age": 7, "ok": True}]),
        ),
        (
            {"inputs": [{**each, "shape": [0], "data": []} for each in age()["inputs"]]},
            *(ALL, []),
        ),
        *(
            (age(datatype=kind, data=[value]), ALL, [{"name": "x", "age": value}])
            for bits in (8, 16, 32, 64)
            for kind, value in (
                *((f"INT{bits}", -(2 ** (bits - 1))), (f"INT{bits}", 2 ** (bits - 1) - 1)),
                *((f"UINT{bits}", 0), (f"UINT{bits}", 2**bits - 1)),
            )
        ),
        (age(datatype="FP32", data=[-0.5]), ALL, [{"name": "x", "age": -0.5}]),
    ],
)
def test_the_records_of_a_request(tmp_path: Path, request_: Any, wanted: Any, records: Any) -> None:
    assert read(tmp_path, request_) == (wanted, records)


SHAPE = "input 'age' is a column: its shape must be [N] or [N, 1], and its data N values"
OBJECT = "must be an object with name, shape, datatype and data"
OUTPUTS = "outputs must name some of name, age, born, ok, each as an object with name"
ID = "id must be a text of at most 255 characters"


def extension(what: str, name: str) -> str:
    return f"{what}: the extension with the parameter {name} is not part of this server"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ("[]", "the request must be one JSON object with inputs"),
        ("7", "the request must be one JSON object with inputs, a list of tensors"),
        ({"inputs": {}}, "the request must be one JSON object with inputs, a list of tensors"),
        ({"inputs": []}, "the request must be one JSON object with inputs, a list of tensors"),
        (
            {"inputs": [1, {"name": 2}, NAME, {**NAME, "name": "o" * 81}]},
            f"input 1 {OBJECT}; input 2 {OBJECT}; input '{'o' * 80}' is not one of the model: name, age, born, ok; "
            "input 'age' is missing",
        ),
        ({"inputs": [*age()["inputs"], NAME]}, "input 'name' is there twice"),
        (age(data=[1, 2], shape=[2]), "all inputs must have the same first dimension; they have {'name': 1, 'age': 2}"),
        (age(datatype="BOOL"), f"input 'age' is a number: its datatype must be {NUMBERS}"),
        (
            age(datatype="FP16"),
            f"input 'age' is a number: its datatype must be {NUMBERS}, as FP16 has no form in JSON",
        ),
        (age(data=None), "input 'age' needs data, a list; binary tensors are not taken"),
        *((age(shape=shape), SHAPE) for shape in ([2], [True], [1, True], [1, 2], [1, 1, 1], None, "1", [])),
        (age(data=[[7], [8]], shape=[1, 1]), SHAPE),
        (age(data=[[7, 8]], shape=[1, 1]), "input 'age', row 1 is no FP64"),
        (age(data=[[7]], shape=[1]), "input 'age', row 1 is no FP64"),
        *(
            (age(datatype=kind, data=[value]), f"input 'age', row 1 is no {kind}")
            for kind, value in (
                *(("INT8", 128), ("INT8", -129), ("UINT8", 256), ("UINT8", -1), ("INT64", 2**63), ("INT32", 1.5)),
                *(("FP64", "7"), ("FP64", True), ("INT8", True), ("FP64", None)),
            )
        ),
        ({**age(), "id": "i" * 256}, ID),
        ({**age(), "id": 7}, ID),
        ({**age(), "outputs": [{"name": "x"}, "age"]}, f"{OUTPUTS}; {OUTPUTS}"),
        ({**age(), "parameters": 7}, "the request: parameters must be an object"),
        ({**age(), "parameters": {"sequence_id": 1}}, extension("the request", "sequence_id")),
        (
            age(parameters={"binary_data_size": 1, "shared_memory_region": "x"}),
            f"{extension(chr(105) + 'nput ' + repr('age'), 'binary_data_size')}; "
            f"{extension('input ' + repr('age'), 'shared_memory_region')}",
        ),
        (
            {**age(), "outputs": [{"name": "ok", "parameters": {"classification": 1}}]},
            extension("output 'ok'", "classification"),
        ),
    ],
)
def test_a_request_is_refused_in_whole_sentences(tmp_path: Path, request_: Any, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, request_)
    assert str(caught.value) == sentence


def answer(folder: Path, content: bytes, names: list[str], limit: int = 10_000) -> Any:
    source, target = folder / "source", folder / "target"
    source.write_bytes(content)
    tensors.of_records(source, target, FIELDS, names, {"model_name": "m"}, limit)
    return json.loads(target.read_bytes())


def test_an_answer_is_the_wanted_columns_in_their_order(tmp_path: Path) -> None:
    content = (
        b'[{"AGE":"7","name":"","ok":"yes","born":"2024-01-31"},{"age":8.5,"name":"b","ok":false,"born":"1/2/2024"}]'
    )
    expected = {
        "ok": {"datatype": "BOOL", "data": [True, False]},
        "name": {"datatype": "BYTES", "data": ["", "b"]},
        "age": {"datatype": "FP64", "data": [7, 8.5]},
        "born": {"datatype": "BYTES", "data": ["2024-01-31", "1/2/2024"]},
    }
    for names in (["ok", "age"], ["born", "name"], []):
        outputs = [{"name": name, "shape": [2], **expected[name]} for name in names]
        assert answer(tmp_path, content, names) == {"model_name": "m", "outputs": outputs}
    size = (tmp_path / "target").stat().st_size
    answer(tmp_path, content, [], size)
    with pytest.raises(TooLargeError):
        answer(tmp_path, content, [], size - 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[1]", "row 1 is no record"),
        (
            b'[{"name":null},{"age":""},{"name":"x","age":"y"}]',
            "".join(
                f"row {row}, {name} has no value, and a tensor cannot say so; " for row in (1, 2) for name in NAMES[:2]
            )
            + "row 3, age: a number is needed, 'y' is there",
        ),
    ],
)
def test_what_a_tensor_cannot_say_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        answer(tmp_path, content, ["name", "age"])
    assert str(caught.value) == sentence


def test_the_fields_of_a_model_are_tensors_unless_they_are_nested() -> None:
    kinds = zip(NAMES, ("BYTES", "FP64", "BYTES", "BOOL"), strict=True)
    assert tensors.metadata(FIELDS) == [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in kinds]
    nested = parse_fields([{"Path": path, "DataType": "date"} for path in ("a/b", "c", "d[0]")], False)
    for fields, sentence in (
        (nested, "tensors are columns, and these fields are nested: a/b, d[0]"),
        ((), "tensors are columns of a schema, and this model declares none"),
    ):
        with pytest.raises(DataError) as caught:
            tensors.metadata(fields)
        assert str(caught.value) == sentence


CSV, BARE, JSON = Form.CSV, Form.BARE_CSV, Form.JSON


@pytest.mark.parametrize(
    ("content", "form", "expected"),
    [
        (b"a,b\n1,2\n3,4\n", CSV, Records("a,b\n", ("1,2", "3,4"), "\n", "\n", 2)),
        (b"a,b\r\n1,2\r\n3,4", CSV, Records("a,b\r\n", ("1,2", "3,4"), "\r\n", "", 2)),
        (b"a\r1\r", CSV, Records("a\r", ("1",), "\r", "\r", 1)),
        (b"a\n", CSV, Records("a\n", (), "\n", "", 1)),
        (b"a", CSV, Records("a", (), "\n", "", 1)),
        (b'\xef\xbb\xbf"a\nb"\n1\n', CSV, Records('\ufeff"a\nb"\n', ("1",), "\n", "\n", 1)),
        (b"1\n2\n", BARE, Records("", ("1", "2"), "\n", "\n", 1)),
        (b'"1\n",x\n2,y\n', BARE, Records("", ('"1\n",x', "2,y"), "\n", "\n", 2)),
        (b"1", BARE, Records("", ("1",), "\n", "", 1)),
        (b"[1, 2, 3]", JSON, Records("[", ("1", "2", "3"), ", ", "]")),
        (b" [\n1,\n{\"a\" : [2]}\n]\n", JSON, Records(" [\n", ("1", '{"a" : [2]}'), ",\n", "\n]\n")),
        (b"[ ]", JSON, Records("[ ", (), ",", "]")),
        (b"[7]", JSON, Records("[", ("7",), ",", "]")),
        (b"[1, 2,3]", JSON, None),
        (b"[1 , 2 , 3]", JSON, Records("[", ("1", "2", "3"), " , ", "]")),
        (b"[1,]", JSON, None),
        (b"[1] 2", JSON, None),
        (b"[1", JSON, None),
        (b"{}", JSON, None),
        (b"", JSON, None),
        (b"", CSV, None),
        (b"a\n\n1\n", CSV, None),
        (b"a,b\n1\n", CSV, None),
        (b"a\n1\r\n", CSV, None),
        (b"a\n1\0\n", CSV, None),
        (b'a\n"1', CSV, None),
        (b"\xff", CSV, None),
        (b"[" * 100_000, JSON, None),
    ],
)  # fmt: skip
def test_a_file_is_taken_apart_and_put_together(content: bytes, form: Form, expected: Records | None) -> None:
    found = take_apart(content, form)
    assert found == expected
    if found is not None and found.records:
        assert found.part(0, len(found.records)) == content
        assert found.part(0, 1) == f"{found.head}{found.records[0]}{found.tail}".encode()
        assert found.kind == (found.head, found.between, found.width)


@pytest.mark.parametrize(
    ("content", "form", "expected"),
    [
        (b"a\n1\n2", CSV, Records("a\n", ("1", "2"), "\n", "\n", 1)),
        (b"a\n", CSV, None),
        (b" [ 1 , 2 ] ", JSON, Records("[", ("1", "2"), ",", "]")),
        (b"[]", JSON, None),
        (b"1\n2", BARE, Records("", ("1", "2"), "\n", "\n", 1)),
        (b"\xef\xbb\xbf1\n", BARE, None),
        (b"\xef\xbb\xbfa\n1\n", CSV, Records("\ufeffa\n", ("1",), "\n", "\n", 1)),
    ],
)
def test_what_can_be_joined(content: bytes, form: Form, expected: Records | None) -> None:
    found = joinable(content, form)
    assert found == expected
    if found is not None:
        joined = join([found, found])
        assert cut(joined, form, [len(found.records)] * 2) == [found.part(0, len(found.records))] * 2
        assert cut(joined, form, [len(found.records)]) is None
        assert cut(b"\xff", form, [1]) is None


@pytest.mark.parametrize(
    ("pieces", "rows"),
    [
        ([b"a\n1\n", b"2\n"], 2),
        ([b"a\n1", b"2\n"], 1),
        ([b"a\r", b"\n1\r\n"], 1),
        ([b"a\r\n1\r\n\r\n2"], 2),
        ([b'a\n"x\n', b'y"\n2\n'], 2),
        ([b'a\n"x""', b'"\n2\n'], 2),
        ([b'a\n1,"x', b'y",2\n3\n'], 2),
        ([b'a\nx"', b"y\n"], None),
        ([b'a\n"x"y"\n'], None),
        ([b"a\nx", b'"y"\n'], None),
        ([b"\xef\xbb\xbf", b"a\n1\n"], 1),
        ([b"\n", b'{"a"\n'], None),
        ([b"[\n"], None),
        ([b"a\n[\n"], 1),
        ([b"a\n", b"", b"\n", b"1"], 1),
        ([b"a\n", b"\n\n", b"1"], 1),
        ([b'a\n""\n""'], 2),
    ],
)
def test_rows_are_counted_however_they_are_cut(pieces: list[bytes], rows: int | None) -> None:
    counter = RowCounter()
    for piece in pieces:
        counter.feed(piece)
    assert counter.rows(has_header=True) == rows
    assert counter.rows(has_header=False) == (None if rows is None else rows + 1)


@pytest.mark.parametrize(("most", "rows"), [(11, 2), (10, None)])
def test_what_has_quotes_is_counted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch, most: int, rows: int | None) -> None:
    monkeypatch.setattr(bounds, "COUNTED_QUOTED_BYTES", most)
    counter = RowCounter()
    for piece in (b"a,b,c,d,e\n", b'"x\n', b"y\n", b'z"\n', b'"t"'):
        counter.feed(piece)
    assert counter.rows(has_header=True) == rows
    counter.feed(b"\n1\n" * 50)
    assert counter.rows(has_header=True) == (None if rows is None else 52)
