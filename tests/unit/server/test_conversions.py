"""Files that are converted: by form, schema and mapping, whole and by whole sentences."""

import json
from typing import Any

import pytest

from model_server.tabular import convert, mapping, paths
from model_server.tabular.convert import Plan
from model_server.tabular.mapping import Rule
from model_server.tabular.memory import MemoryFile
from model_server.tabular.mime import Form
from model_server.tabular.problems import DataError, TooLargeError
from model_server.tabular.schema import DataType, Field

CSV, BARE, JSON = Form.CSV, Form.BARE_CSV, Form.JSON


def field(text: str, kind: str = "number", *, optional: bool = False) -> Field:
    return Field(paths.parse(text), DataType(kind), optional)


def rules(*pairs: tuple[str, str], source: Form, target: Form) -> tuple[Rule, ...]:
    entries = [{"source": first, "destination": second} for first, second in pairs]
    return mapping.parse(json.dumps(entries), source_is_table=source.is_table, destination_is_table=target.is_table)


def made(content: bytes, plan: Plan, *, is_result: bool = False, limit: int = 10_000) -> bytes | tuple[str, ...]:
    target = MemoryFile(b"before")
    try:
        (convert.convert_result if is_result else convert.convert_input)(MemoryFile(content), target, plan, limit)
    except DataError as problem:
        return problem.problems
    return target.content


N, S, O = field("n"), field("s", "string"), field("o", "boolean", optional=True)  # noqa: E741 - as the columns


@pytest.mark.parametrize(
    ("plan", "content", "expected"),
    [
        (Plan(JSON, JSON), b'{"a":1}', b'[{"a":1}]'),
        (Plan(CSV, CSV), b"a,b\n1,2\n", b"a,b\n1,2\n"),
        (Plan(CSV, CSV), b"a,b\n1\n", ("row 1 has 1 fields, the header has 2",)),
        (Plan(CSV, CSV, fields=(N, S, O)), b"x,S\n1,2\n", ("row 1, n is missing",)),
        (Plan(CSV, CSV, fields=(N, S, O)), b"x\n", ("the header has no column 'n'", "the header has no column 's'")),
        (Plan(CSV, CSV, fields=(N, S, O)), b"S, N\n", b"n,s,o\n"),
        (Plan(CSV, JSON, fields=(N, S, O)), b"x,S,n\n1,2,3\n", b'[{"n":3,"s":"2","o":null,"x":"1"}]'),
        (Plan(CSV, CSV, fields=(N, O)), b"x,n\n1, 3\n", b"n,o,x\n 3,,1\n"),
        (Plan(CSV, BARE, fields=(N, O)), b"x,n\n1, 3\n", b" 3,\n"),
        (Plan(CSV, BARE, fields=(field("t"), O)), b"o,t\nyes,5\n", b"5,yes\n"),
        (Plan(JSON, BARE, fields=(N, S)), b'[{"s":1,"n":"2","x":0}]', b"2,1\n"),
        (Plan(JSON, CSV, fields=(N, S)), b'[{"s":1.5,"n":2,"x":0}]', b"n,s,x\n2,1.5,0\n"),
        (Plan(BARE, CSV, fields=(N, S)), b"1,a\n", b"n,s\n1,a\n"),
        (Plan(BARE, BARE, fields=(N, S, O)), b"1,a\n2,b\n", b"1,a,\n2,b,\n"),
        (Plan(BARE, JSON, fields=(N,)), b"1,2\n", ("row 1 has 2 fields, the schema has 1",)),
        (Plan(BARE, JSON, fields=(N,)), b"", b"[]"),
        (Plan(JSON, JSON, fields=(N,)), b'{"N":"5"}', b'[{"n":5}]'),
        (Plan(JSON, JSON, fields=(N,)), b"[{},{}]", ("row 1, n is missing", "row 2, n is missing")),
        (
            Plan(CSV, CSV, rules(("a", "b"), source=CSV, target=CSV), names=("C", "z")),
            *(b"a,c,d\n1,2,3\n", b"b,C\n1,2\n"),
        ),
        (
            Plan(CSV, CSV, rules(("a", "n"), source=CSV, target=CSV), (N, S), names=("C",)),
            *(b"a,c,S\n1,2,3\n", b"n,s\n1,3\n"),
        ),
        (Plan(CSV, CSV, rules(("a", "n"), source=CSV, target=CSV), (N,)), b"a\n", b"n\n"),
        (Plan(CSV, BARE, rules(("a", "2"), source=CSV, target=BARE), (S, N)), b"a,s\n1,x\n", b"x,1\n"),
        (Plan(BARE, CSV, rules(("1", "n"), source=BARE, target=CSV), (N,)), b"5,6\n", b"n\n5\n"),
        (Plan(CSV, CSV, rules(("a", "2"), source=CSV, target=CSV), (N, S)), b"a,n,s\n1,2,3\n", b"n,s,2\n2,3,1\n"),
        (Plan(JSON, BARE), b'[{"2":"y","1":"x"}]', b"x,y\n"),
        (Plan(JSON, BARE), b'[{"3":[7,8]}]', b",,7,8\n"),
        (Plan(JSON, BARE), b'[{"2":"y","b":"x"}]', b"y,x\n"),
        (Plan(JSON, BARE), b'[{"0":"x","1":"y"}]', b"x,y\n"),
        (Plan(JSON, BARE), b'[{"02":"x","1":"y"}]', b"x,y\n"),
        (Plan(JSON, BARE), "[{\"\u0662\":\"x\",\"1\":\"y\"}]".encode(), b"x,y\n"),
        (Plan(JSON, BARE), b"[]", b""),
        (Plan(JSON, BARE), b'[{"1001":"x"}]', b"," * 1000 + b"x\n"),
        (Plan(JSON, BARE), b'[{"1002":"x"}]', ("column 1002 is far behind the others",)),
        (Plan(JSON, BARE), b'[{"1002":"x","1":"y"}]', b"y" + b"," * 1001 + b"x\n"),
        (Plan(JSON, BARE), b'[{"12345678901":"x"}]', ("column 123456789 is far behind the others",)),
        (Plan(JSON, CSV), b'[{"2":"y"}]', b"2\ny\n"),
        (Plan(CSV, BARE), b"2,1\ny,x\n", b"x,y\n"),
    ],
)  # fmt: skip
def test_what_is_made_of_an_input(plan: Plan, content: bytes, expected: bytes | tuple[str, ...]) -> None:
    assert made(content, plan) == expected


@pytest.mark.parametrize(
    ("plan", "content", "expected"),
    [
        (Plan(JSON, JSON), b'{"a":NaN}', b'{"a":null}'),
        (Plan(JSON, JSON), b'[{"a":1}]', b'[{"a":1}]'),
        (Plan(CSV, JSON, fields=(N, O)), b"o,n\nyes,x\n,5\n", b'[{"n":"x","o":true},{"n":5,"o":null}]'),
        (Plan(CSV, CSV, fields=(N, O)), b"o,n\nyes, 5\n", b"n,o\n 5,yes\n"),
        (Plan(CSV, CSV, fields=(N, O)), b"x\n", b"n,o,x\n"),
        (Plan(CSV, JSON, fields=(N,), finds_numbers=True), b"n,x\n1,2\n", b'[{"n":1,"x":"2"}]'),
        (Plan(CSV, JSON, finds_numbers=True), b"a,b\n1,x\n2,3\n", b'[{"a":1,"b":"x"},{"a":2,"b":"3"}]'),
        (Plan(CSV, JSON), b"a,b\n1,x\n", b'[{"a":"1","b":"x"}]'),
        (Plan(BARE, JSON, finds_numbers=True), b"1,x\n2,y\n", b'[{"1":1,"2":"x"},{"1":2,"2":"y"}]'),
        (Plan(CSV, CSV, finds_numbers=True), b"a\n1.0\n", b"a\n1.0\n"),
        (Plan(JSON, JSON, finds_numbers=True), b'[{"a":"1"}]', b'[{"a":"1"}]'),
        (Plan(CSV, JSON, finds_numbers=True), b"a,b\n1\n", ("row 1 has 1 fields, the header has 2",)),
        (
            Plan(CSV, JSON, rules(("a", "x/y"), source=CSV, target=JSON), finds_numbers=True),
            *(b"a,b\n1,2\n", b'[{"x":{"y":1}}]'),
        ),
        (Plan(BARE, CSV, fields=(N, S)), b"1,2\n", b"n,s\n1,2\n"),
        (Plan(BARE, BARE, fields=(N, S)), b"1,2\n", b"1,2\n"),
        (Plan(BARE, CSV, rules(("2", "b"), source=BARE, target=CSV), (N, S)), b"1,2\n", b"b\n2\n"),
        (Plan(BARE, CSV, rules(("s", "b"), source=BARE, target=CSV), (N, S)), b"1,2\n", b"b\n2\n"),
        (Plan(CSV, CSV, rules(("2", "b"), source=CSV, target=CSV), (N, S)), b"n,s\n1,2\n", b'b\n""\n'),
        (Plan(CSV, BARE, rules(("s", "2"), source=CSV, target=BARE), (N, S)), b"n,s\n1,2\n", b",2\n"),
        (Plan(JSON, JSON, rules(("a", "b"), source=JSON, target=JSON)), b'{"a":1}', b'{"b":1}'),
    ],
)  # fmt: skip
def test_what_is_made_of_a_result(plan: Plan, content: bytes, expected: bytes | tuple[str, ...]) -> None:
    assert made(content, plan, is_result=True) == expected


@pytest.mark.parametrize("is_result", [True, False])
def test_a_limit_is_of_the_bytes_that_are_made(is_result: bool) -> None:
    for target, text in ((JSON, b'[{"a":"1"}]'), (CSV, b"a\n1\n")):
        plan = Plan(CSV, target)
        assert made(b"a\n1\n", plan, is_result=is_result, limit=len(text)) == text
        function = convert.convert_result if is_result else convert.convert_input
        with pytest.raises(TooLargeError):
            function(MemoryFile(b"a\n1\n"), MemoryFile(), plan, len(text) - 1)


@pytest.mark.parametrize(
    ("plan", "changes_nothing", "cost"),
    [
        (Plan(CSV, CSV), True, 10),
        (Plan(CSV, JSON), False, 10),
        (Plan(CSV, CSV, fields=(N, S)), False, 30),
        (Plan(CSV, CSV, rules(("a", "b"), source=CSV, target=CSV)), False, 20),
        (Plan(CSV, CSV, rules(("a", "b"), ("c", "d"), source=CSV, target=CSV), (N,)), False, 40),
    ],
)
def test_the_cost_of_a_plan(plan: Plan, changes_nothing: bool, cost: int) -> None:
    assert (plan.changes_nothing, plan.cost(10)) == (changes_nothing, cost)


@pytest.mark.parametrize(
    ("form", "content", "problems"),
    [
        (CSV, b"n,s,x\n1,a,0\n", ()),
        (CSV, b"n\nx\n", ("row 1, n: a number is needed, 'x' is there", "row 1, s is missing")),
        (CSV, b"n\n", ("the header has no column 's'",)),
        (BARE, b"1,a\n", ()),
        (BARE, b"a,1\n", ("row 1, n: a number is needed, 'a' is there",)),
        (JSON, b'{"n":"1","s":"a"}', ()),
        (JSON, b"[{}]", ("row 1, n is missing", "row 1, s is missing")),
    ],
)
def test_a_file_fits_its_fields_or_not(form: Form, content: bytes, problems: tuple[str, ...]) -> None:
    found: Any = ()
    try:
        convert.check(MemoryFile(content), form, (N, S))
    except DataError as problem:
        found = problem.problems
    assert found == problems


@pytest.mark.parametrize(("content", "is_json"), [(b"[1]", True), (b"{}", True), (b"[1,NaN]", False)])
def test_json_is_told_from_what_only_looks_so(content: bytes, is_json: bool) -> None:
    assert convert.is_json(MemoryFile(content)) is is_json
    with pytest.raises(DataError):
        convert.is_json(MemoryFile(content + b"]"))
