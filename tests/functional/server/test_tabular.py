"""MIME types; CSV and JSON; schema and mapping of files."""

import json
import pathlib
import re
import tempfile
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server import bounds
from model_server.tabular import convert, mapping, mime, schema
from model_server.tabular.convert import Plan
from model_server.tabular.memory import MemoryFile
from model_server.tabular.mime import Form
from model_server.tabular.problems import DataError

CSV = ["text/csv; header=present"]


@pytest.mark.parametrize(
    ("declared", "of_part", "supported", "expected"),
    [
        ("", "", CSV, CSV[0]),
        ("", "application/octet-stream", CSV, CSV[0]),
        ("", "not a type", CSV, CSV[0]),
        ("", "text/csv", CSV, "text/csv"),
        ("TEXT/CSV;header=Present", "", CSV, "TEXT/CSV;header=Present"),
        ("text/csv; header=absent", "", CSV, None),
        ("application/json", "text/csv", CSV, None),
        ("not a type", "", CSV, None),
        ("image/png", "", ["application/octet-stream"], "image/png"),
        ("not a type", "", ["*/*"], None),
        ("application/json", "", ["text/plain", "application/json"], "application/json"),
    ],
)
def test_the_type_of_a_data_file(declared: str, of_part: str, supported: list[str], expected: str | None) -> None:
    assert mime.choose(declared, of_part, supported) == expected


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        ("text/csv", [], Form.CSV),
        ("text/csv", ["text/plain", "text/csv; header=absent"], Form.BARE_CSV),
        ("text/csv; header=present", ["text/csv; header=absent"], Form.CSV),
        ('TEXT/CSV; HEADER="Absent"', [], Form.BARE_CSV),
        ("application/json; charset=utf-8", [], Form.JSON),
        ("text/plain", [], None),
        ("nothing", [], None),
    ],
)
def test_the_form_of_structured_data(text: str, declared: list[str], expected: Form | None) -> None:
    assert mime.form(text, declared) == expected


def test_structured_types_bring_those_that_convert() -> None:
    assert mime.convertible(tuple(CSV)) == (*CSV, "text/csv; header=absent", "application/json")
    assert mime.convertible(("application/json",)) == (
        "application/json",
        "text/csv; header=present",
        "text/csv; header=absent",
    )
    assert mime.convertible(("image/png", "text/plain")) == ("image/png", "text/plain")


@settings(max_examples=50)
@given(st.text(max_size=300))
def test_any_text_is_a_type_or_is_not(text: str) -> None:
    parsed = mime.parse(text)
    assert parsed is None or "/" in parsed.essence


def made(
    content: bytes, plan: Plan, *, result: bool = False, limit: int = 10_000_000, folder: pathlib.Path | None = None
) -> bytes:
    function = convert.convert_result if result else convert.convert_input
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source, target = pathlib.Path(name, "source"), pathlib.Path(name, "target")
        source.write_bytes(content)
        in_memory = MemoryFile()
        try:
            function(source, target, plan, limit)
        except DataError as problem:
            with pytest.raises(type(problem), match=f"^{re.escape(str(problem))}$"):
                function(MemoryFile(content), in_memory, plan, limit)
            raise
        function(MemoryFile(content), in_memory, plan, limit)
        assert in_memory.content == target.read_bytes()
        return in_memory.content


def fields(*entries: str, is_table: bool = True) -> tuple[schema.Field, ...]:
    """Parse fields from texts like "age number" or "name string optional"."""
    words = [entry.split() for entry in entries]
    document = [{"Path": path, "DataType": kind, "Optional": bool(rest)} for path, kind, *rest in words]
    return schema.parse_fields(document, is_table)


@pytest.mark.parametrize(
    ("source", "target", "content", "expected"),
    [
        (Form.CSV, Form.JSON, b'\xef\xbb\xbfid,"na,me"\r\n1,"a\nb"\r\n\r\n2,\r\n', None),
        (Form.CSV, Form.JSON, b"a,b\n", b"[]"),
        (Form.CSV, Form.JSON, b"a,b,a\n1,2,3\n", b'[{"a":["1","3"],"b":"2"}]'),
        (Form.BARE_CSV, Form.JSON, b"x,y\n", b'[{"1":"x","2":"y"}]'),
        (Form.BARE_CSV, Form.JSON, b"", b"[]"),
        (Form.BARE_CSV, Form.CSV, b"x,y\n", b"1,2\nx,y\n"),
        (Form.CSV, Form.BARE_CSV, b"a,b\nx,y\n", b"x,y\n"),
        (Form.JSON, Form.CSV, b'[{"a":1,"b":"x"},{"c":2.5,"b":null}]', b"a,b,c\n1,x,\n,,2.5\n"),
        (Form.JSON, Form.CSV, b'[{"a":[1,2]},{"a":[]},{"a":true}]', b"a,a\n1,2\n,\ntrue,\n"),
        (
            *(Form.JSON, Form.CSV, b'[{"a":[1,2],"b":3},{"b":4},{},{"b":[5,6],"a":7}]'),
            b"a,a,b,b\n1,2,3,\n,,4,\n,,,\n7,,5,6\n",
        ),
        (Form.JSON, Form.CSV, b'{"a":1}', b"a\n1\n"),
        (Form.JSON, Form.CSV, b"[]", b""),
        (Form.JSON, Form.BARE_CSV, b'[{"2":"y","1":"x"}]', b"x,y\n"),
        (Form.JSON, Form.BARE_CSV, b'[{"b":"y","a":"x"}]', b"y,x\n"),
    ],
)
def test_forms_convert(source: Form, target: Form, content: bytes, expected: bytes | None) -> None:
    if expected is None:
        expected = b'[{"id":"1","na,me":"a\\nb"},{"id":"2","na,me":""}]'
    assert made(content, Plan(source, target)) == expected


@pytest.mark.parametrize(
    ("source", "target", "content", "reason"),
    [
        (Form.CSV, Form.JSON, b"", "the CSV is empty"),
        (Form.CSV, Form.JSON, b"a,b\n1,2\n3\n4,5,6\n", "row 2 has 1 fields, the header has 2; row 3 has 3 fields"),
        (Form.CSV, Form.JSON, b"a\n\xff\n", "the CSV is not UTF-8"),
        (Form.CSV, Form.JSON, b'a\n"b', "the CSV is damaged"),
        (Form.JSON, Form.CSV, b"", "the JSON is empty"),
        (Form.JSON, Form.CSV, b"[1]", "record 1 is not an object"),
        (Form.JSON, Form.CSV, b'[{"a":{}}]', "record 1 is not flat: 'a'"),
        (Form.JSON, Form.CSV, b'[{"a":[[1]]}]', "record 1 is not flat: 'a'"),
        (Form.JSON, Form.CSV, b'[{"a":NaN}]', "record 1 of the JSON is damaged: NaN is not JSON"),
        (Form.JSON, Form.CSV, b'[{"a":1e999}]', "too large"),
        (Form.JSON, Form.CSV, b'[{"a":' + b"9" * 5000 + b"}]", "record 1 of the JSON is damaged"),
        (Form.JSON, Form.CSV, b"[" * 100_000, "nested too deeply"),
        (Form.JSON, Form.CSV, b'[{"a":1}', "a comma or the array's end is missing"),
        (Form.JSON, Form.CSV, b'[{"a":1}] x', "behind its end"),
        (Form.JSON, Form.CSV, b'[{"a":1},]', "record 2 of the JSON is damaged"),
        (Form.JSON, Form.CSV, b'[{"a":"\\ud800"}]', "no Unicode"),
        (Form.JSON, Form.CSV, b'[{"\xff":1}]', "the JSON is not UTF-8"),
        (Form.JSON, Form.BARE_CSV, b'[{"1002":1}]', "column 1002 is far behind"),
    ],
)
def test_what_cannot_be_converted_says_why(source: Form, target: Form, content: bytes, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        made(content, Plan(source, target))
    assert reason in str(caught.value)


def test_the_limit_holds_for_what_is_made() -> None:
    with pytest.raises(DataError, match="larger than 50 bytes"):
        made(b"a_long_name\n" + b"1\n" * 20, Plan(Form.CSV, Form.JSON), limit=50)


def test_large_documents_are_read_in_pieces() -> None:
    records = [
        {"number": number / 7, "text": "ä" * (number % 50), "list": [number, {"x": None}]} for number in range(9000)
    ]
    content = json.dumps(records, indent=1).encode()
    assert json.loads(made(content, Plan(Form.JSON, Form.JSON, fields=fields("number number")))) == records
    long = [1.25, "x" * 300_000, 12345678901234567890, -3e-7]
    assert json.loads(made(json.dumps(long).encode(), Plan(Form.JSON, Form.JSON))) == long


column_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda name: name.strip())


@settings(max_examples=50)
@given(st.lists(column_names, min_size=2, max_size=4, unique=True), st.data())
def test_flat_texts_survive_both_ways(columns: list[str], data: st.DataObject) -> None:
    cell = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    records = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(columns, cell)), min_size=1, max_size=5))
    table = made(json.dumps(records).encode(), Plan(Form.JSON, Form.CSV))
    assert json.loads(made(table, Plan(Form.CSV, Form.JSON))) == records


PEOPLE = fields("name string", "age number", "born date optional", "member boolean optional")


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        *(("true", True), ("Yes", True), (" 1 ", True), (1, True), (True, True)),
        *(("FALSE", False), ("no", False), ("0", False), (0, False), (False, False)),
    ],
)
def test_every_word_for_true_and_false(text: object, truth: bool) -> None:
    content = json.dumps([{"name": "Al", "age": 7, "member": text}]).encode()
    (record,) = json.loads(made(content, Plan(Form.JSON, Form.JSON, fields=PEOPLE)))
    assert record["member"] is truth


@pytest.mark.parametrize(
    ("source", "target", "content", "expected"),
    [
        (
            Form.CSV,
            Form.JSON,
            b"age,name,born,member,note\n 7.50 ,Al,2001-02-03,Yes,n\n-1e3,,,,\n",
            '[{"name":"Al","age":7.5,"born":"2001-02-03","member":true,"note":"n"},'
            '{"name":"","age":-1000.0,"born":null,"member":null,"note":""}]',
        ),
        (Form.CSV, Form.CSV, b"AGE,x,name\n7.50,y,Al\n", "name,age,born,member,x\nAl,7.50,,,y\n"),
        (Form.CSV, Form.BARE_CSV, b"note,age,name\nn,7,Al\n", "Al,7,,\n"),
        (Form.BARE_CSV, Form.JSON, b"Al,7\n", '[{"name":"Al","age":7,"born":null,"member":null}]'),
        (Form.JSON, Form.CSV, b'[{"name":5,"age":"7"}]', "name,age,born,member\n5,7,,\n"),
        (
            Form.JSON,
            Form.JSON,
            b'{"name":"Al","age":"7","member":0}',
            '[{"name":"Al","age":7,"born":null,"member":false}]',
        ),
    ],
)
def test_data_is_made_to_fit_the_schema(source: Form, target: Form, content: bytes, expected: str) -> None:
    made_text = made(content, Plan(source, target, fields=PEOPLE)).decode()
    if target is Form.JSON:
        assert json.loads(made_text) == json.loads(expected)
    else:
        assert made_text == expected


@pytest.mark.parametrize(
    ("source", "content", "problems"),
    [
        (
            Form.CSV,
            b"name,age,born,member\nAl,x,2001-13-01,maybe\nBo,,3.4.2001,no\n",
            (
                "row 1, age: a number is needed, 'x' is there",
                "row 1, born: a date like 2024-12-31 or 2024-12-31T23:59:00Z is needed, '2001-13-01' is there",
                "row 1, member: true or false is needed, 'maybe' is there",
                "row 2, age is empty, a number is needed",
            ),
        ),
        (Form.CSV, b"name\nAl\n", ("row 1, age is missing",)),
        (Form.BARE_CSV, b"a,1,,,,\n", ("row 1 has 6 fields, the schema has 4",)),
        (Form.JSON, b'[{"name":null,"age":true},7]', (
            "row 1, name is missing",
            "row 1, age: a number is needed, true is there",
            "row 2, name: an object is needed, 7 is there",
            "row 2, age: an object is needed, 7 is there",
            "row 2, born: an object is needed, 7 is there",
            "row 2, member: an object is needed, 7 is there",
        )),
        (Form.JSON, b'[{"name":[],"age":"1e999"}]', (
            "row 1, name: a string is needed, an array is there",
            "row 1, age: a number is needed, '1e999' is there",
        )),
    ],
)  # fmt: skip
def test_data_that_does_not_fit_is_told_by_row_and_path(
    source: Form, content: bytes, problems: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as caught:
        made(content, Plan(source, Form.JSON, fields=PEOPLE))
    assert caught.value.problems == problems


def test_only_the_first_problems_are_told() -> None:
    with pytest.raises(DataError, match="only the first 20") as caught:
        made(b"name,age\n" + b"Al,x\n" * 100, Plan(Form.CSV, Form.JSON, fields=PEOPLE))
    assert len(caught.value.problems) == 20


def test_nested_fields_fit_too() -> None:
    nested = fields(
        "order/id number",
        "order/items[*]/price number",
        "order/note string optional",
        "tags[0] string optional",
        is_table=False,
    )
    plan = Plan(Form.JSON, Form.JSON, fields=nested)
    content = b'[{"order":{"id":"1","items":[{"price":"2"},{"price":3}]}}]'
    expected = [{"order": {"id": 1, "items": [{"price": 2}, {"price": 3}], "note": None}, "tags": None}]
    assert json.loads(made(content, plan)) == expected
    with pytest.raises(DataError) as caught:
        made(b'[{"order":{"items":[{},{"price":"x"}]}},{"order":[1]},{}]', plan)
    assert caught.value.problems[:4] == (
        "row 1, order/id is missing",
        "row 1, order/items[*]/price is missing",
        "row 1, order/items[*]/price: a number is needed, 'x' is there",
        "row 2, order/id: an object is needed, an array is there",
    )


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({}, "must be a list"),
        ([1], "entry 1: must be an object"),
        ([{"DataType": "number"}], "entry 1: Path must be a text"),
        (
            [{"Path": "a", "DataType": "float", "Optional": 1, "Typ": 1}],
            "unknown key 'typ', DataType must be one of string, number, date, boolean, Optional must be",
        ),
        ([{"Path": "a", "DataType": "string"}, {"path": "/a", "datatype": "Number"}], "'a' is there twice"),
        ([{"Path": "[0]", "DataType": "string"}], "entry 1: path"),
    ],
)  # fmt: skip
def test_a_wrong_schema_says_why(entries: object, reason: str) -> None:
    with pytest.raises(ValueError, match=r"entry|must|twice") as caught:
        schema.parse_fields(entries, is_table=True)
    assert reason in str(caught.value)


def mapped(content: bytes, source: Form, target: Form, rules: object, *entries: str) -> Any:
    declared = fields(*entries, is_table=target.is_table)
    parsed = mapping.parse(
        json.dumps(rules), source_is_table=source.is_table, destination_is_table=target.is_table, fields=declared
    )
    made_bytes = made(content, Plan(source, target, parsed, declared))
    return json.loads(made_bytes) if target is Form.JSON else made_bytes.decode()


def test_a_mapping_renames_reorders_and_fills_in() -> None:
    rules = [
        {"Source": "Sepal L", "DESTINATION": "length"},
        {"source": "/w", "destination": "/width", "defaultValue": "1.5"},
        {"destination": "site", "defaultValue": "Kew"},
    ]
    entries = ("length number", "width number", "site string", "note string optional", "id number")
    content = b"w,id,sepal l,other\n,9,5.10,x\n3,8,4,x\n"
    assert mapped(content, Form.CSV, Form.CSV, rules, *entries) == (
        "length,width,site,note,id\n5.10,1.5,Kew,,9\n4,3,Kew,,8\n"
    )
    assert mapped(content, Form.CSV, Form.JSON, rules, *entries)[0] == {
        "length": 5.1, "width": 1.5, "site": "Kew", "note": None, "id": 9,
    }  # fmt: skip
    assert mapped(content, Form.CSV, Form.CSV, rules) == "length,width,site\n5.10,1.5,Kew\n4,3,Kew\n"


def test_a_table_without_header_is_mapped_by_position() -> None:
    rules = [{"source": "/2", "destination": "a"}, {"source": "1", "destination": "b"}]
    assert mapped(b"x,y\n", Form.BARE_CSV, Form.CSV, rules) == "a,b\ny,x\n"
    back = [{"source": "a", "destination": "/2"}, {"source": "b", "destination": "/1"}]
    assert mapped(b"a,b\ny,x\n", Form.CSV, Form.BARE_CSV, back) == "x,y\n"
    assert mapped(b"a,b\n1,x\n", Form.CSV, Form.BARE_CSV, back, "name string", "age number") == "x,1\n"


def test_a_repeated_header_is_an_array() -> None:
    content = b"t,id,t,t\n1,a,2,3\n"
    assert mapped(content, Form.CSV, Form.CSV, [{"source": "t[2]", "destination": "last"}]) == "last\n3\n"
    assert mapped(content, Form.CSV, Form.JSON, [{"source": "t[0+2]", "destination": "x/y"}]) == [
        {"x": {"y": ["1", "3"]}}
    ]
    assert mapped(content, Form.CSV, Form.CSV, [{"source": "t[1-*]", "destination": "u[*]"}]) == "u,u\n2,3\n"
    assert mapped(b'[{"a":{"b":[1,2]}}]', Form.JSON, Form.CSV, [{"source": "a/b", "destination": "c"}]) == "c,c\n1,2\n"


def test_nested_data_is_mapped_with_vectors() -> None:
    content = json.dumps([{"rows": [{"v": [1, 2]}, {"v": [3, 4]}]}, {"rows": []}, {}]).encode()
    rules = [
        {"source": "rows[*]/v[1]", "destination": "out[*]/second"},
        {"source": "rows[0]/v", "destination": "first"},
    ]
    assert mapped(content, Form.JSON, Form.JSON, rules) == [
        {"out": [{"second": 2}, {"second": 4}], "first": [1, 2]},
        {"out": [], "first": None},
        {"first": None},
    ]
    with pytest.raises(DataError, match=r"row 1, rows\[0\]/v to x/y: .*"):
        mapped(content, Form.JSON, Form.JSON, [
            {"source": "rows", "destination": "x"}, {"source": "rows[0]/v", "destination": "x/y"},
        ])  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{", ("the text is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",)),
        ("{}", ("a mapping is a JSON array of objects with source, destination and perhaps defaultValue",)),
        ("[]", ("the mapping is empty; leave the field empty to use none",)),
        (
            json.dumps([
                {"source": "a[", "destination": "n", "defaultValue": []},
                7,
                {"source": "a"},
                {"destination": "n"},
                {"source": "a", "destination": "n", "defaultValue": "much", "defaultvalues": 1},
                {"source": 5, "destination": "o"},
                {"source": "a", "destination": "s"},
                {"source": "a", "destination": "s"},
            ]),
            (
                "entry 1: source: path 'a[' has a [ that is not closed at character 2",
                "entry 1: defaultValue must be a string, a number or a boolean",
                "entry 2: must be an object with source, destination and perhaps defaultValue",
                "entry 3: destination is missing",
                "entry 4: destination 'n' needs a source or a defaultValue",
                "entry 5: unknown key 'defaultvalues'",
                "entry 5: defaultValue of n: a number is needed, 'much' is there",
                "entry 6: source must be a text",
                "entry 8: destination 's' is there twice",
            ),
        ),
    ],
)  # fmt: skip
def test_a_wrong_mapping_says_all_of_it(text: str, problems: tuple[str, ...]) -> None:
    declared = fields("n number", "o string optional", is_table=False)
    with pytest.raises(DataError) as caught:
        mapping.parse(text, source_is_table=False, destination_is_table=False, fields=declared)
    assert caught.value.problems == problems


def test_results_are_typed_by_the_schema_and_mapped() -> None:
    declared = fields("id number", "ok boolean optional")
    typed = Plan(Form.CSV, Form.JSON, fields=declared)
    assert made(b"id,ok\n1,yes\n?,\n", typed, result=True) == b'[{"id":1,"ok":true},{"id":"?","ok":null}]'
    bare = Plan(Form.BARE_CSV, Form.CSV, fields=declared)
    assert made(b"1,yes\n", bare, result=True) == b"id,ok\n1,yes\n"
    for source in ("id", "/1"):
        rules = mapping.parse(
            json.dumps([{"source": source, "destination": "key"}]), source_is_table=True, destination_is_table=True
        )
        plan = Plan(Form.BARE_CSV, Form.BARE_CSV, rules, declared)
        assert made(b"1,yes\n", plan, result=True) == b"1\n"
    rules = mapping.parse(
        json.dumps([{"source": "p[1]", "destination": "second"}]), source_is_table=False, destination_is_table=False
    )
    assert made(b'{"p":[1,2]}', Plan(Form.JSON, Form.JSON, rules), result=True) == b'{"second":2}'


def test_a_record_that_has_no_room_left_ends_the_mapping_at_once() -> None:
    entries = [{"source": "a[*]/x", "destination": f"b{number}"} for number in range(bounds.RULES)]
    rules = mapping.parse(json.dumps(entries), source_is_table=False, destination_is_table=False)
    complaints: list[str] = []
    mapping.apply({"a": [0] * 100_000}, rules, (), complaints.append)
    assert len(complaints) == 1
    assert "500000 values" in complaints[0]


def test_of_long_texts_that_are_no_type_none_is_kept() -> None:
    before = mime._parse.cache_info().currsize
    assert mime.choose("a/b" * 1000, "c/d" * 1000, ["*/x"]) is None
    assert mime._parse.cache_info().currsize <= before + 1


def values(count: int) -> bytes:
    return b"[[" + b",".join([b"1"] * count) + b"]]"


def row(columns: int) -> bytes:
    return b",".join([b"x"] * columns) + b"\n"


@pytest.mark.parametrize(
    ("form", "fits", "too_much", "reason"),
    [
        (Form.JSON, values(bounds.RECORD_VALUES // 2), values(3 * bounds.RECORD_VALUES), "more than 500000 values"),
        (Form.CSV, row(bounds.COLUMNS), row(bounds.COLUMNS + 1), "16384 columns|has 16385 columns"),
        (Form.CSV, b"a\n" + b"x" * 1000, b"a\n" + b"x" * bounds.RECORD_CHARACTERS + b"y", "a row of the CSV is longer"),
        (Form.CSV, b"a\n" + b"1\n" * 10, b'a\n"' + (b"x" * 2**16 + b"\n") * 256, "a row of the CSV is longer"),
        (Form.CSV, b'a\n"' + b"," * 99_999 + b'"\n', b'a\n"\n",' + b'"",' * 99_999, "more than 16384 columns"),
    ],
    ids=["values", "columns", "line", "lines", "commas"],
)  # fmt: skip
def test_a_record_is_refused_before_it_takes_much_memory(form: Form, fits: bytes, too_much: bytes, reason: str) -> None:
    made(fits, Plan(form, Form.JSON))
    with pytest.raises(DataError, match=reason):
        made(too_much, Plan(form, Form.JSON))


def test_the_time_for_a_wide_table_with_a_repeated_column_grows_with_its_size() -> None:
    def seconds(columns: int) -> float:
        names = ["same", "same", *map(str, range(columns - 2))]
        began = time.process_time()
        table = MemoryFile("\n".join([",".join(names)] * 20).encode())
        convert.convert_input(table, MemoryFile(), Plan(Form.CSV, Form.JSON), 10_000_000)
        return time.process_time() - began

    # The least of several: a collection of garbage may fall into one.
    narrow, wide = (min(seconds(columns) for _ in range(5)) for columns in (1000, 8000))
    assert wide < 20 * narrow + 0.2  # the square would be 64


NAMED = schema.parse_fields(
    [{"Path": "amount", "DataType": "number"}, {"Path": "site", "DataType": "string", "Optional": True}], True
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"amount;site\n1,5;Kew\n", "separated by semicolons: save it as CSV with commas, in UTF-8"),
        (b"amount\tsite\n1\tKew\n", "separated by tabs: save it as CSV with commas, in UTF-8"),
        ("amount,site\n1,Kew\n2,Köln\n".encode("cp1252"), "not UTF-8, at byte 4 of line 3 \\(0xf6\\): save it as CSV"),
        ("amount,site\n1,Kew\n".encode("utf-16"), "not UTF-8 but UTF-16: save it as CSV"),
        (b"site,other\n", "the header has no column 'amount'"),
    ],
)
def test_a_spreadsheet_is_refused_with_its_row_and_the_remedy(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        made(content, Plan(Form.CSV, Form.CSV, fields=NAMED))


def test_spaces_around_the_names_of_a_spreadsheet_do_not_count() -> None:
    assert made(b"site, amount\nKew, 2\n", Plan(Form.CSV, Form.CSV, fields=NAMED)) == b"amount,site\n 2,Kew\n"


def test_a_number_of_too_many_digits_is_told_in_our_words() -> None:
    with pytest.raises(DataError, match="a number has too many digits"):
        made(b"[" + b"9" * 5000 + b"]", Plan(Form.JSON, Form.JSON))


def test_nan_in_a_result_is_null_and_no_json_in_data() -> None:
    content = b'[{"p":NaN,"q":[1,-Infinity]}]'
    assert made(content, Plan(Form.JSON, Form.JSON), result=True) == b'[{"p":null,"q":[1,null]}]'
    with pytest.raises(DataError, match="NaN is not JSON"):
        made(content, Plan(Form.JSON, Form.CSV))
