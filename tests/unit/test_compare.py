"""Two results count as the same if they mean the same; else the first place where they do not is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_compare import Kind, difference, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("expected.csv", "csv"),
        ("E.CSV", "csv"),
        ("a.json", "json"),
        ("a.txt", "text"),
        ("expected", "text"),
        ("A.JSON", "json"),
        ("csv", "text"),
        ("a.csv.txt", "text"),
        ("json", "text"),
    ],
)
def test_kind_of(name: str, kind: Kind) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize(
    ("kind", "expected", "got"),
    [
        ("csv", "a,b\n1,x\n", "a,b\r\n1,x\r\n"),
        ("csv", "a,b\n1,x\n", 'a,"b"\n1,x'),
        ("csv", "a\n0.1234567\n", "a\n0.12345674\n"),
        ("csv", "a\n1\n", "a\n1.0\n"),
        ("csv", "a\n1e10\n", "a\n10000000001.0\n"),
        ("csv", "a\nnan\n", "a\nNaN\n"),
        ("csv", "a\n-inf\n", "a\n-Infinity\n"),
        ("csv", "a\n1\n", "\ufeffa\n1\n\n"),
        ("json", '{"a": [1, 2.0], "b": null}', '{"b":null,"a":[1,2.0000001]}\n'),
        ("json", "1", "1.0"),
        ("csv", "a\n100\n", "a\n100.0001\n"),
        ("csv", "a\n100.0001\n", "a\n100\n"),
        ("csv", "a\n0.0\n", "a\n0.000001\n"),
        ("csv", "a\n.5,+5.,1e2\n", "a\n0.5,5,+100.0\n"),
        ("csv", "a\n-00012\n", "a\n-12\n"),
        ("csv", "a\ninf\n", "a\n+INFINITY\n"),
        ("csv", "\na\n\n1\n", "a\n1\n"),
        ("csv", "", "\n"),
        ("json", "NaN", "NaN"),
        ("json", "[100, 0]", "[100.0001, 0.000001]"),
        ("json", '[[], {}, "", true, false]', '[[], {}, "", true, false]'),
        ("text", "a\n\n\r\n", "a"),
        ("text", "yes\n", "yes"),
        ("text", "yes", "yes\r\n"),
    ],
)
def test_equal(kind: Kind, expected: str, got: str) -> None:
    assert difference(expected.encode(), got.encode(), kind) is None


@pytest.mark.parametrize(
    ("kind", "expected", "got", "told"),
    [
        ("csv", "id,species\n1,a\n2,b\n", "id,species\n1,a\n2,c\n", 'row 3, column 2 (species): expected "b", got "c"'),
        ("csv", "a,b\n1,2\n", "a,c\n1,2\n", 'row 1, column 2: expected "b", got "c"'),
        ("csv", "a\n1\n2\n", "a\n1\n", "expected 3 rows, got 2"),
        ("csv", "a\n1\n", "a\n1\n2\n", "expected 2 rows, got 3"),
        ("csv", "a\n1\n", "", "expected 2 rows, got 0"),
        ("csv", "a,b\n1,2\n", "a,b\n1\n", "row 2: expected 2 columns, got 1"),
        ("csv", "a\n0.5\n", "a\n0.5001\n", 'row 2, column 1 (a): expected "0.5", got "0.5001"'),
        ("csv", "a\n1000000000\n", "a\n1000000001\n", 'row 2, column 1 (a): expected "1000000000", got "1000000001"'),
        ("csv", "a\n1_0\n", "a\n10\n", 'row 2, column 1 (a): expected "1_0", got "10"'),
        ("csv", "a\n1\n", 'a\n"1\n', "one of the two is no CSV: unexpected end of data"),
        ("json", '{"a": {"b": [1, "x"]}}', '{"a": {"b": [1, "y"]}}', '$.a.b[1]: expected "x", got "y"'),
        ("json", '{"a": 1}', "{}", '$: "a" is missing'),
        ("json", "{}", '{"a": 1}', '$: "a" was not expected'),
        ("json", "[1, 2]", "[1]", "$: expected 2 items, got 1"),
        ("csv", "a\n100\n", "a\n100.00011\n", 'row 2, column 1 (a): expected "100", got "100.00011"'),
        ("csv", "a\n0.0\n", "a\n0.0000011\n", 'row 2, column 1 (a): expected "0.0", got "0.0000011"'),
        ("csv", "a\n12\n", "a\n-12\n", 'row 2, column 1 (a): expected "12", got "-12"'),
        ("csv", "a\nnan\n", "a\n1.5\n", 'row 2, column 1 (a): expected "nan", got "1.5"'),
        ("csv", "a\n1.5\n", "a\nnan\n", 'row 2, column 1 (a): expected "1.5", got "nan"'),
        ("csv", "a\n1\n", "a\nx\n", 'row 2, column 1 (a): expected "1", got "x"'),
        ("csv", "a\nx\n", "a\n1\n", 'row 2, column 1 (a): expected "x", got "1"'),
        ("csv", "a\nx\n", "a\n1.5\n", 'row 2, column 1 (a): expected "x", got "1.5"'),
        ("csv", "a\n1.5\n", "a\n1.5x\n", 'row 2, column 1 (a): expected "1.5", got "1.5x"'),
        ("csv", "a\n1,2\n", "a\n1,3\n", 'row 2, column 2: expected "2", got "3"'),
        ("csv", "a,b\n1\n", "a,b\n1,2\n", "row 2: expected 1 columns, got 2"),
        ("csv", "", "a\n", "expected 0 rows, got 1"),
        ("csv", '"a', "a", "one of the two is no CSV: unexpected end of data"),
        ("json", "[1, [2, 3]]", "[1, [2, 4]]", "$[1][1]: expected 3, got 4"),
        ("json", "[1, 2, 3]", "[1, 5, 6]", "$[1]: expected 2, got 5"),
        ("json", '{"a": 1, "b": 2}', '{"c": 3}', '$: "a" is missing'),
        ("json", '{"a": 1, "b": 2}', '{"a": 2, "b": 3}', "$.a: expected 1, got 2"),
        ("json", '{"a": {}}', '{"a": {"b": 1, "c": 2}}', '$.a: "b" was not expected'),
        ("json", "1.5", '"1.5"', '$: expected 1.5, got "1.5"'),
        ("json", "1", "true", "$: expected 1, got true"),
        ("json", "false", "0", "$: expected false, got 0"),
        ("json", "false", "true", "$: expected false, got true"),
        ("json", "1.5", "null", "$: expected 1.5, got null"),
        ("json", '"é"', '"e"', '$: expected "é", got "e"'),
        ("json", "[1]", "[1, 2]", "$: expected 1 items, got 2"),
        ("text", "a\nb", "a", "expected 2 lines, got 1"),
        ("text", f"{'a' * 78}", "b", f'line 1: expected "{"a" * 78}", got "b"'),
        ("text", f"{'a' * 79}", "b", f'line 1: expected "{"a" * 79}…, got "b"'),
        ("json", "true", "1", "$: expected true, got 1"),
        ("json", "null", "0", "$: expected null, got 0"),
        ("json", '"1"', "1", '$: expected "1", got 1'),
        ("json", "[]", "{}", "$: expected [], got {}"),
        ("json", "9007199254740993", "9007199254740992", "$: expected 9007199254740993, got 9007199254740992"),
        ("json", "{}", "Traceback", 'not JSON: Expecting value: line 1 column 1 (char 0); got "Traceback"'),
        ("text", "a\nb\n", "a\nc\n", 'line 2: expected "b", got "c"'),
        ("text", "a", "a\n\nb", "expected 1 lines, got 3"),
        ("text", "1.0", "1.00", 'line 1: expected "1.0", got "1.00"'),
    ],
)
def test_different(kind: Kind, expected: str, got: str, told: str) -> None:
    assert difference(expected.encode(), got.encode(), kind) == told


def test_an_expected_file_that_is_no_json_says_so() -> None:
    told = "the expected result is no JSON: "
    found = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    assert difference(b"{", b"{}", "json") == told + found


@pytest.mark.parametrize("kind", ["csv", "json", "text"])
def test_what_is_no_text_is_compared_by_byte(kind: Kind) -> None:
    assert difference(b"\xff\x00\x01", b"\xff\x00\x01", kind) is None
    assert difference(b"\xff\x00\x01", b"\xff\x02", kind) == "byte 1: the files differ (expected 3 bytes, got 2)"
    assert difference(b"\xff", b"\xff\xff", kind) == "byte 1: the files differ (expected 1 bytes, got 2)"


def test_long_values_are_cut() -> None:
    told = difference(b"a" * 5000, b"b" * 5000, "text")
    assert told is not None
    assert len(told) < 250


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
finite = st.floats(min_value=-1e9, max_value=1e9)


@given(documents)
def test_every_document_equals_itself_however_it_is_laid_out(document: Any) -> None:
    compact = json.dumps(document, separators=(",", ":")).encode()
    wide = json.dumps(document, indent=3, sort_keys=True).encode()
    assert difference(compact, wide, "json") is None


@given(documents, documents)
def test_the_outcome_does_not_depend_on_the_order(one: Any, other: Any) -> None:
    first, second = json.dumps(one).encode(), json.dumps(other).encode()
    assert (difference(first, second, "json") is None) == (difference(second, first, "json") is None)


@given(finite)
def test_rounding_is_no_difference_and_more_is_one(value: float) -> None:
    near, far = value * (1 + 1e-9), value + 1 + abs(value) * 1e-3
    for kind in ("json", "text"):
        if kind == "json":
            assert difference(json.dumps(value).encode(), json.dumps(near).encode(), "json") is None
            assert difference(json.dumps(value).encode(), json.dumps(far).encode(), "json") is not None
    assert difference(f"a\n{value!r}\n".encode(), f"a\n{near!r}\n".encode(), "csv") is None
    assert difference(f"a\n{value!r}\n".encode(), f"a\n{far!r}\n".encode(), "csv") is not None


@given(st.binary(), st.binary(), st.sampled_from(["csv", "json", "text"]))
def test_no_bytes_make_it_stumble(one: bytes, other: bytes, kind: Kind) -> None:
    told = difference(one, other, kind)
    assert told is None or (told and "\n" not in told)


@pytest.mark.parametrize(
    ("expected", "got", "kind", "found"),
    [
        ("[1]", "[" * 200_000, "json", "the two are nested too deeply to be compared"),
        ("1.5", "1" + "0" * 400, "json", "$: expected 1.5"),
        ("a\n1\n", f"a\n{'9' * 5000}\n", "csv", "row 2, column 1 (a)"),
        ("a\nx\n", f"a\n{'x' * 200_000}\n", "csv", "row 2, column 1 (a)"),
    ],
)
def test_what_a_hostile_model_writes_is_a_difference_and_no_crash(
    expected: str, got: str, kind: Kind, found: str
) -> None:
    assert found in (difference(expected.encode(), got.encode(), kind) or "")


def test_whole_numbers_are_the_same_however_they_are_written() -> None:
    assert difference(b"a\n-0\n+007\n", b"a\n0\n7\n", "csv") is None
    long = b"9" * 5000
    assert difference(b"a\n" + long, b"a\n0" + long, "csv") is None


def test_a_long_row_of_digits_is_looked_at_once() -> None:
    # Tried at each of its places, it would take an hour.
    found = difference(b"a\n1.5\n", b"a\n" + b"1" * 300_000 + b"x\n", "csv")
    assert found is not None
    assert found.startswith("row 2, column 1 (a)")
