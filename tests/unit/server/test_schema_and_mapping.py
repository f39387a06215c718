"""Fields and their types, records that are made to fit, and mappings: whole values and whole sentences."""

import json
import re
from typing import Any

import pytest

from model_server import bounds
from model_server.tabular import mapping, paths, schema
from model_server.tabular.mapping import Rule
from model_server.tabular.paths import Path, Vector
from model_server.tabular.problems import DataError
from model_server.tabular.schema import DataType, Field, Fitter, TypeProblem

ENTRY = "must be an object with source, destination and perhaps defaultValue"


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        *((" x ", "string", " x "), ("", "string", ""), (7, "string", "7"), (1.0, "string", "1.0")),
        *((True, "string", "true"), (7, "number", 7), (-7.5, "number", -7.5), (" 7 ", "number", 7)),
        *(("+5", "number", 5), (".5", "number", 0.5), ("5.", "number", 5.0), ("-5e3", "number", -5000.0)),
        *(("5E+1", "number", 50.0), ("9" * 400, "number", int("9" * 400)), (" 2024-01-31 ", "date", "2024-01-31")),
        *(("2024-01-31T23:59:00Z", "date", "2024-01-31T23:59:00Z"), ("2024/1/31", "date", "2024/1/31")),
        *(("1/31/2024", "date", "1/31/2024"), (" 31.1.2024", "date", "31.1.2024"), (True, "boolean", True)),
        *((False, "boolean", False), ("YES", "boolean", True), (" No ", "boolean", False), ("true", "boolean", True)),
        *(("false", "boolean", False), (1, "boolean", True), (0, "boolean", False), ("1", "boolean", True)),
        *(("0", "boolean", False),),
    ],
)
def test_a_value_of_its_type(value: Any, kind: str, found: Any) -> None:
    coerced = schema.coerce(value, DataType(kind))
    assert (coerced, type(coerced)) == (found, type(found))


DATE = "a date like 2024-12-31 or 2024-12-31T23:59:00Z"


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        (None, "string", "a string is needed, null is there"),
        ([], "string", "a string is needed, an array is there"),
        ({}, "string", "a string is needed, an object is there"),
        (True, "number", "a number is needed, true is there"),
        (None, "number", "a number is needed, null is there"),
        ("", "number", "a number is needed, '' is there"),
        ("1e999", "number", "a number is needed, '1e999' is there"),
        ("5e12345", "number", "a number is needed, '5e12345' is there"),
        ("9" * 401, "number", f"a number is needed, '{'9' * 39} … is there"),
        ("٣", "number", "a number is needed, '٣' is there"),
        ("x" * 38, "number", f"a number is needed, '{'x' * 38}' is there"),
        ("x" * 39, "number", f"a number is needed, '{'x' * 39} … is there"),
        (7.5, "date", f"{DATE} is needed, 7.5 is there"),
        ("31.13.2024", "date", f"{DATE} is needed, '31.13.2024' is there"),
        ("2024/13/01", "date", f"{DATE} is needed, '2024/13/01' is there"),
        (2, "boolean", "true or false is needed, 2 is there"),
        (1.0, "boolean", "true or false is needed, 1.0 is there"),
        ("y", "boolean", "true or false is needed, 'y' is there"),
    ],
)
def test_a_value_of_another_type(value: Any, kind: str, sentence: str) -> None:
    with pytest.raises(TypeProblem) as caught:
        schema.coerce(value, DataType(kind))
    assert str(caught.value) == sentence


@pytest.mark.parametrize("is_table", [True, False])
def test_fields_are_read_in_any_case_and_written_back(is_table: bool) -> None:
    entries = [
        {"PATH": "a/b", "data_type": "NUMBER", "OPTIONAL": None},
        {"path": "c[*]", "DataType": "date", "optional": True},
        {"Path": "d", "DataType": "Boolean", "Optional": False},
        {"Path": "e", "DataType": "string"},
    ]
    found = schema.parse_fields(entries, is_table)
    first = Path(("a/b",)) if is_table else Path(("a", "b"))
    assert found == (
        Field(first, DataType.NUMBER, False),
        Field(Path(("c", Vector(0, 1, None))), DataType.DATE, True),
        Field(Path(("d",)), DataType.BOOLEAN, False),
        Field(Path(("e",)), DataType.STRING, False),
    )
    written = [
        {"Path": "a/b", "DataType": "number", "Optional": False},
        {"Path": "c[*]", "DataType": "date", "Optional": True},
        {"Path": "d", "DataType": "boolean", "Optional": False},
        {"Path": "e", "DataType": "string", "Optional": False},
    ]
    assert schema.document(found) == written
    assert schema.parse_fields(written, is_table) == found


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({}, "must be a list of entries with Path, DataType, Optional"),
        (
            [{"Path": "a", "DataType": "date"}, 1],
            "entry 2: must be an object with Path, DataType, Optional",
        ),
        ([{}], "entry 1: Path must be a text, DataType must be one of string, number, date, boolean"),
        (
            [{"Path": name, "DataType": "number"} for name in ("a", "b", "b", "/a", "c", "b")],
            "'a' is there twice; 'b' is there twice",
        ),
        (
            [{"Path": "a[", "DataType": "x", "Optional": 1, "z": 1}, {"Path": 1, "DataType": "date"}],
            "entry 1: unknown key 'z', path 'a[' has a [ that is not closed at character 2, DataType must be one of "
            "string, number, date, boolean, Optional must be true or false; entry 2: Path must be a text",
        ),
    ],
)
def test_wrong_fields_are_told_all_at_once(entries: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        schema.parse_fields(entries, False)


def field(text: str, kind: str = "number", optional: bool = False) -> Field:
    return Field(paths.parse(text), DataType(kind), optional)


FLAT = (field("n"), field("s", "string"), field("o", "boolean", optional=True))


@pytest.mark.parametrize(
    ("fields", "as_text", "record", "fitted", "complaints"),
    [
        (FLAT, False, {"x": 9, " S": "t", "N": "7"}, {"n": 7, "s": "t", "o": None, "x": 9}, []),
        (FLAT, True, {"n": " 7 ", "s": "", "o": "Yes"}, {"n": " 7 ", "s": "", "o": "Yes"}, []),
        (FLAT, True, {"n": 7, "s": 8, "o": 1}, {"n": 7, "s": "8", "o": True}, []),
        (FLAT, False, {"n": "", "s": "", "o": ""}, {"n": None, "s": "", "o": None}, ["n is empty, a number is needed"]),
        (FLAT, False, {"s": None}, {"n": None, "s": None, "o": None}, ["n is missing", "s is missing"]),
        (
            *(FLAT, False, {"n": "x", "s": [], "o": "y"}, {"n": "x", "s": [], "o": "y"}),
            [
                "n: a number is needed, 'x' is there",
                "s: a string is needed, an array is there",
                "o: true or false is needed, 'y' is there",
            ],
        ),
        (FLAT[:1], False, 7, 7, ["n: an object is needed, 7 is there"]),
        ((field("s", "string", optional=True),), False, {"s": ""}, {"s": None}, []),
        ((field("a/b"), field("a/c")), False, {"A": {"B": "1", "c": "2"}}, {"a": {"c": 2, "b": 1}}, []),
        ((field("a/b"),), False, {"a": {}}, {"a": {"b": None}}, ["a/b is missing"]),
        ((field("a/b"),), False, {"a": None}, {"a": None}, ["a/b is missing"]),
        ((field("a/b"),), False, {"a": [1]}, {"a": [1]}, ["a/b: an object is needed, an array is there"]),
        ((field("a/b", optional=True),), False, {"x": 1}, {"a": {"b": None}, "x": 1}, []),
        ((field("a/b/c", optional=True),), False, {"a": {}}, {"a": {"b": {"c": None}}}, []),
        ((field("a[*]", optional=True),), False, {}, {"a": None}, []),
        ((field("a[*]/b"),), False, {"a": [{"b": "1"}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 2}]}, []),
        ((field("a[*]/b"),), False, {"a": [{}, None]}, {"a": [{"b": None}, None]}, ["a[*]/b is missing"] * 2),
        ((field("a[1]"),), False, {"a": ["x", "2"]}, {"a": ["x", 2]}, []),
        ((field("a[1]"),), False, {"a": ["1"]}, {"a": ["1"]}, ["a[1] is missing"]),
        ((field("a[1]", optional=True),), False, {"a": ["1"]}, {"a": ["1"]}, []),
        ((field("a[1-2]"),), False, {"a": ["1"]}, {"a": ["1"]}, []),
        ((field("a[*]"),), False, {"a": {"b": 1}}, {"a": {"b": 1}}, ["a[*]: an array is needed, an object is there"]),
        ((field("a[0][1]"),), False, {"a": [["x", "1"]]}, {"a": [["x", 1]]}, []),
        ((field("a[*]", "date"),), True, {"a": [" 2024-01-31"]}, {"a": [" 2024-01-31"]}, []),
        ((field("a[*]", "date"),), False, {"a": [" 2024-01-31"]}, {"a": ["2024-01-31"]}, []),
        ((field("[*]/b"),), False, [{"b": "1"}], [{"b": 1}], []),
        ((field("[0]"), field("b")), False, {"b": 1}, {"b": 1}, ["[0]: an array is needed, an object is there"]),
    ],
)  # fmt: skip
def test_a_record_is_made_to_fit(
    fields: tuple[Field, ...], as_text: bool, record: Any, fitted: Any, complaints: list[str]
) -> None:
    told: list[str] = []
    found = Fitter(fields, as_text=as_text)(record, told.append)
    assert (json.dumps(found), told) == (json.dumps(fitted), complaints)  # in this order of fields


def refused(text: str, fields: tuple[Field, ...] = ()) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        mapping.parse(text, source_is_table=False, destination_is_table=False, fields=fields)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("[" * 100_000, ("the text is nested too deeply",)),
        ("", ("the text is not JSON: Expecting value: line 1 column 1 (char 0)",)),
        ("7", ("a mapping is a JSON array of objects with source, destination and perhaps defaultValue",)),
        ("[[]]", (f"entry 1: {ENTRY}",)),
        ("[{}]", ("entry 1: destination is missing",)),
        ('[{"destination": ""}]', ("entry 1: destination is missing",)),
        ('[{"source":"a","destination":7}]', ("entry 1: destination must be a text",)),
        ('[{"source":"a","destination":"b["}]', (
            "entry 1: destination: path 'b[' has a [ that is not closed at character 2",
        )),
        ('[{"source":"a","destination":"b","defaultValue":NaN}]', (
            "entry 1: defaultValue must be a string, a number or a boolean",
        )),
        ('[{"source":"a","destination":"b","defaultValue":{}}]', (
            "entry 1: defaultValue must be a string, a number or a boolean",
        )),
        (json.dumps([{"K" * 41: 1, "source": "a", "destination": "b"}]), (f"entry 1: unknown key '{'k' * 40}'",)),
        ('[{"destination":"free"}]', ("entry 1: destination 'free' needs a source or a defaultValue",)),
        ('[{"destination":"n"}]', ("entry 1: destination 'n' needs a source or a defaultValue",)),
        ('[{"destination":"n","defaultValue":"x"}]', (
            "entry 1: defaultValue of n: a number is needed, 'x' is there",
        )),
        ('[{"source":"a","destination":"b"},{"source":"c","destination":"/b"}]', (
            "entry 2: destination 'b' is there twice",
        )),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_told_in_whole_words(text: str, problems: tuple[str, ...]) -> None:
    assert refused(text, FLAT) == problems


def test_a_mapping_has_as_many_entries_as_it_may() -> None:
    entries = [{"source": "a", "destination": f"b{number}"} for number in range(bounds.RULES + 1)]
    assert refused(json.dumps(entries)) == (f"the mapping has {bounds.RULES + 1} entries; {bounds.RULES} are possible",)
    rules = mapping.parse(json.dumps(entries[1:]), source_is_table=True, destination_is_table=True)
    assert len(rules) == bounds.RULES


@pytest.mark.parametrize(
    ("entry", "is_table", "rule"),
    [
        ({"source": "a/b", "destination": "c/d"}, False, Rule(Path(("a", "b")), Path(("c", "d")), None)),
        ({"SOURCE": "a/b", "Destination": "c/d"}, True, Rule(Path(("a/b",)), Path(("c/d",)), None)),
        ({"source": None, "destination": "n", "defaultValue": "7"}, False, Rule(None, Path(("n",)), 7)),
        ({"source": "", "destination": "x", "DEFAULTVALUE": "7"}, False, Rule(None, Path(("x",)), "7")),
        ({"source": "a", "destination": "x", "defaultValue": 0}, False, Rule(Path(("a",)), Path(("x",)), 0)),
        ({"source": "a", "destination": "x", "defaultValue": None}, False, Rule(Path(("a",)), Path(("x",)), None)),
        ({"destination": "o"}, False, Rule(None, Path(("o",)), None)),
        ({"destination": "o", "defaultValue": "no"}, False, Rule(None, Path(("o",)), False)),
    ],
)
def test_an_entry_is_a_rule(entry: dict[str, Any], is_table: bool, rule: Rule) -> None:
    text = json.dumps([entry])
    found = mapping.parse(text, source_is_table=is_table, destination_is_table=is_table, fields=FLAT)
    assert (found, type(found[0].default)) == ((rule,), type(rule.default))


def test_each_side_of_a_mapping_is_read_by_its_own_grammar() -> None:
    text = '[{"source":"a/b","destination":"c/d"}]'
    assert mapping.parse(text, source_is_table=True, destination_is_table=False) == (
        Rule(Path(("a/b",)), Path(("c", "d")), None),
    )
    assert mapping.parse(text, source_is_table=False, destination_is_table=True) == (
        Rule(Path(("a", "b")), Path(("c/d",)), None),
    )


def applied(rules: list[dict[str, Any]], record: Any, *names: str) -> tuple[Any, list[str]]:
    parsed = mapping.parse(json.dumps(rules), source_is_table=False, destination_is_table=False, fields=FLAT)
    told: list[str] = []
    return mapping.apply(record, parsed, names, told.append), told


RENAME = {"source": "a", "destination": "b"}
FILLED = {**RENAME, "defaultValue": "d"}


@pytest.mark.parametrize(
    ("rules", "record", "names", "made", "told"),
    [
        ([RENAME], {"a": 1, "c": 2}, (), {"b": 1}, []),
        ([RENAME], {}, (), {"b": None}, []),
        ([RENAME], {"a": ""}, (), {"b": ""}, []),
        ([FILLED], {}, (), {"b": "d"}, []),
        ([FILLED], {"a": None}, (), {"b": "d"}, []),
        ([FILLED], {"a": ""}, (), {"b": "d"}, []),
        ([FILLED], {"a": 0}, (), {"b": 0}, []),
        ([FILLED], {"a": False}, (), {"b": False}, []),
        ([{"destination": "b", "defaultValue": 0}], 7, (), {"b": 0}, []),
        ([{"destination": "o"}], {}, (), {"o": None}, []),
        ([{"source": "a", "destination": "b[*]"}], {"x": 1}, (), {}, []),
        ([{"source": "a", "destination": "b[*]"}], {"a": None}, (), {}, []),
        ([{"source": "a", "destination": "b[1]"}], {}, (), {"b": [None, None]}, []),
        ([{"source": "a", "destination": "b[0]/c[*]"}, RENAME], {}, (), {"b": None}, []),
        ([RENAME], {"a": 1, "C": 2, "d": 3, "b": 4}, ("b", "c", "e", ""), {"b": 1, "c": 2}, []),
        ([RENAME], {"a": 1, "": 2}, ("",), {"b": 1}, []),
        ([{"source": "[0]", "destination": "[0]"}], [1], ("c",), [1], []),
        ([{"source": "c", "destination": "[0]"}], {"c": 1}, ("c",), [1], []),
        ([{"source": "[0]", "destination": "b"}], [1], ("c",), {"b": 1}, []),
        (
            [RENAME, {"source": "c", "destination": "b/x"}, {"source": "d", "destination": "e"}],
            {"a": 1, "c": 2, "d": 3},
            (),
            {"b": 1, "e": 3},
            ["c to b/x: an object is needed where something else was put"],
        ),
        (
            [{"destination": "b[*]", "defaultValue": 5}],
            {},
            (),
            {},
            ["None to b[*]: [*] needs several values, the source gives one"],
        ),
    ],
)
def test_what_a_mapping_makes(
    rules: list[dict[str, Any]], record: Any, names: tuple[str, ...], made: Any, told: list[str]
) -> None:
    found = applied(rules, record, *names)
    assert (json.dumps(found[0]), found[1]) == (json.dumps(made), told)


@pytest.mark.parametrize(
    ("rules", "made", "told"),
    [
        ([{"source": "a", "destination": "b"}], {"b": [1, 2]}, []),
        (
            [*({"source": "a[*]", "destination": name} for name in "bc"), FILLED | {"destination": "d"}],
            {"b": [1, 2]},
            ["a[*] to c: the record would have more than 6 values"],
        ),
        (
            [{"source": "a[*]", "destination": name} for name in ("b[0]", "c1", "c2", "c3")],
            {"b": [[1, 2]]},
            ["a[*] to c1: the record would have more than 6 values"],
        ),
        (
            [{"source": "z[*]", "destination": "b"}, {"source": "a", "destination": "c"}],
            {},
            ["z[*]: the mapping reads more than 6 values"],
        ),
    ],
)  # fmt: skip
def test_a_mapping_that_has_no_room_ends_with_one_complaint(
    monkeypatch: pytest.MonkeyPatch, rules: list[dict[str, Any]], made: Any, told: list[str]
) -> None:
    monkeypatch.setattr(bounds, "RECORD_VALUES", 6)
    found, complaints = applied(rules, {"a": [1, 2], "z": [0] * 7})
    assert complaints == told
    assert {key: value for key, value in found.items() if key in made} == made


@pytest.mark.parametrize(
    ("text", "sources", "destinations", "names"),
    [
        ("1", ("x", "y"), (), ("x", "1")),
        ("2", ("x", "y"), ("p", "q"), ("y", "q")),
        ("3", ("x", "y"), ("p", "q"), ("3", "3")),
        ("0", ("x", "y"), ("p", "q"), ("0", "0")),
        ("2", ("2", "y"), ("p", "2"), ("2", "2")),
        ("x", ("y",), ("y",), ("x", "x")),
        ("٢", ("x", "y"), ("x", "y"), ("٢", "٢")),
        ("1000000001", ("x",), ("x",), ("1000000001", "1000000001")),
        ("0000000011", ("x",), ("x",), ("0000000011", "0000000011")),
    ],
)
def test_a_column_number_is_the_name_where_it_is_known(
    text: str, sources: tuple[str, ...], destinations: tuple[str, ...], names: tuple[str, str]
) -> None:
    rule = Rule(Path((text, Vector(0, 1, None))), Path((text,)), "d")
    expected = Rule(Path((names[0], Vector(0, 1, None))), Path((names[1],)), "d")
    assert mapping.by_position([rule], sources, destinations) == (expected,)
    without = Rule(None, Path((text,)), None)
    assert mapping.by_position([without], sources, destinations) == (Rule(None, Path((names[1],)), None),)
