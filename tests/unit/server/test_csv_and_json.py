"""Rows of CSV and records of JSON: whole values, whole sentences, both sides of each bound."""

import json
from typing import Any

import pytest

from model_server import bounds
from model_server.tabular import csv_rows, records
from model_server.tabular.memory import MemoryFile
from model_server.tabular.problems import MOST, DataError, Problems, TooLargeError

REMEDY = "save it as CSV with commas, in UTF-8 (of a spreadsheet: CSV UTF-8)"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set bounds that a line of a test can reach."""
    monkeypatch.setattr(bounds, "RECORD_CHARACTERS", 40)
    monkeypatch.setattr(bounds, "COLUMNS", 4)
    monkeypatch.setattr(bounds, "RECORD_VALUES", 6)


def rows(content: bytes) -> list[list[str]]:
    file = MemoryFile(content)
    return list(csv_rows.rows_of(file.open("r", encoding="utf-8-sig", newline=""), file))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"x" * 39 + b"\n", [["x" * 39]]),
        (b"x" * 40, [["x" * 40]]),
        (b'"' + b"x" * 18 + b"\n" + b"y" * 18 + b'"\n', [["x" * 18 + "\n" + "y" * 18]]),
        (b"a,b\n" * 30, [["a", "b"]] * 30),
        (b"a,b,c,d\n" * 3, [["a", "b", "c", "d"]] * 3),
        (b'a,"x\n,,,,,,\n",b\n', [["a", "x\n,,,,,,\n", "b"]]),
        (b'"a,b,c,d,e",f\n', [["a,b,c,d,e", "f"]]),
        (b'a,"x\n","c,",d\n', [["a", "x\n", "c,", "d"]]),
        (b'a"b\n', [['a"b']]),
        (b"\n\na\n\n\nb", [["a"], ["b"]]),
    ],
)
@pytest.mark.usefixtures("small")
def test_rows_up_to_their_bounds(content: bytes, expected: list[list[str]]) -> None:
    assert rows(content) == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"x" * 40 + b"\n", "a row of the CSV is longer than 40 characters"),
        (b'"' + b"x" * 18 + b"\n" + b"y" * 19 + b'"\n', "a row of the CSV is longer than 40 characters"),
        (b"a,b,c,d,e\n", "a row of the CSV has more than 4 columns"),
        (b",,,,\n", "a row of the CSV has more than 4 columns"),
        (b'a,"x\n",b,"c,",d\n', "a row of the CSV has more than 4 columns"),
        (b'"a"b\n', "the CSV is damaged: ',' expected after '\"'"),
        (b'"a', "the CSV is damaged: unexpected end of data"),
        (b"a\xff\n", f"the CSV is not UTF-8, at byte 2 of line 1 (0xff): {REMEDY}"),
        (b"a\r\nbc\xc3\n\xffc\n", f"the CSV is not UTF-8, at byte 3 of line 2 (0xc3): {REMEDY}"),
        (b"a\n\xff\xfe\n", f"the CSV is not UTF-8, at byte 1 of line 2 (0xff): {REMEDY}"),
        (b"\xff\xfea\0", f"the CSV is not UTF-8 but UTF-16: {REMEDY}"),
        (b"\xfe\xff\0a", f"the CSV is not UTF-8 but UTF-16: {REMEDY}"),
    ],
)
@pytest.mark.usefixtures("small")
def test_a_row_beyond_is_refused_in_whole_words(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        rows(content)
    assert str(caught.value) == sentence


def test_of_a_line_that_has_no_end_only_so_much_is_read(small: None) -> None:
    asked: list[int] = []

    class Endless:
        def readline(self, size: int) -> str:
            asked.append(size)
            return "x" * size

    endless: Any = Endless()
    with pytest.raises(DataError):
        list(csv_rows.rows_of(endless, MemoryFile()))
    assert asked == [41]


def table(content: bytes, has_header: bool, *names: str) -> tuple[Any, ...]:
    found = records.Table(MemoryFile(content), has_header, names)
    problems = Problems()
    return found.columns, list(found.records(problems)), problems._found, found.blank()


@pytest.mark.parametrize(
    ("content", "has_header", "names", "expected"),
    [
        (b"", False, (), ((), [], [], {})),
        (b"a;b\n", False, (), (("1",), [(1, {"1": "a;b"})], [], {"1": ""})),
        (b"a;b\n", False, ("x",), (("x",), [(1, {"x": "a;b"})], [], {"x": ""})),
        (b"a,b;c\n", True, (), (("a", "b;c"), [], [], {"a": "", "b;c": ""})),
        (b"\xef\xbb\xbfa\n1\n", True, ("z",), (("a",), [(1, {"a": "1"})], [], {"a": ""})),
        (b"a\n1\n", True, ("x", "y"), (("a",), [(1, {"a": "1"})], [], {"a": ""})),
        (
            *(b"1,2\n3\n", False, ()),
            (("1", "2"), [(1, {"1": "1", "2": "2"})], ["row 2 has 1 fields, the first row has 2"], {"1": "", "2": ""}),
        ),
        (
            *(b"1,2\n3,4\n", False, ("a", "b", "c")),
            (("a", "b"), [(1, {"a": "1", "b": "2"}), (2, {"a": "3", "b": "4"})], [], {"a": "", "b": ""}),
        ),
        (b"1,2\n", False, ("a", "b"), (("a", "b"), [(1, {"a": "1", "b": "2"})], [], {"a": "", "b": ""})),
        (
            *(b"a,b,a\n1,2,3\n\n4,5,6\n7\n8,9,0,1\n", True, ()),
            (
                ("a", "b", "a"),
                [(1, {"a": ["1", "3"], "b": "2"}), (2, {"a": ["4", "6"], "b": "5"})],
                ["row 3 has 1 fields, the header has 3", "row 4 has 4 fields, the header has 3"],
                {"a": ["", ""], "b": ""},
            ),
        ),
    ],
)
def test_the_columns_and_records_of_a_table(
    content: bytes, has_header: bool, names: tuple[str, ...], expected: tuple[Any, ...]
) -> None:
    assert table(content, has_header, *names) == expected


@pytest.mark.parametrize(
    ("content", "has_header", "names", "sentence"),
    [
        (b"", True, (), "the CSV is empty: it has no header line"),
        (b"\n\n", True, (), "the CSV is empty: it has no header line"),
        (b"a;b\n", True, (), f"the columns of the CSV are separated by semicolons: {REMEDY}"),
        (b"a\tb\n", True, (), f"the columns of the CSV are separated by tabs: {REMEDY}"),
        (b"a;b\n", False, ("x", "y"), f"the columns of the CSV are separated by semicolons: {REMEDY}"),
        (b",,,,", True, (), "the CSV has 5 columns; 4 are possible"),
        (b"1,2,3\n", False, ("a", "b"), "row 1 has 3 fields, the schema has 2"),
    ],
)
@pytest.mark.usefixtures("small")
def test_a_table_is_refused_in_whole_words(
    content: bytes, has_header: bool, names: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(DataError) as caught:
        records.Table(MemoryFile(content), has_header, names)
    assert str(caught.value) == sentence


def document(content: bytes, *, is_result: bool = False) -> tuple[Any, ...]:
    """Read it to its end or its problem; return whether it is an array, its records, the problem, whether mended."""
    found = records.Document(MemoryFile(content), is_result=is_result)
    got: list[Any] = []
    try:
        for record in found.records():
            got.append(record)
    except DataError as problem:
        return found.is_array, got, str(problem), found.is_mended
    return found.is_array, got, "", found.is_mended


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b" \t\r\n", (False, [], "the JSON is empty", False)),
        (b" [ ] \r\n\t", (True, [], "", False)),
        (b"[] x", (True, [], "the JSON is damaged: there is text behind its end", False)),
        (b" 7 ", (False, [(1, 7)], "", False)),
        (b"7 8", (False, [(1, 7)], "the JSON is damaged: there is text behind its end", False)),
        (b'\xef\xbb\xbf[1 , {"a":2.5}\n]', (True, [(1, 1), (2, {"a": 2.5})], "", False)),
        (
            b"[1 2]",
            (True, [(1, 1)], "the JSON is damaged after record 1: a comma or the array's end is missing", False),
        ),
        (
            b"[1,2",
            (
                True,
                [(1, 1), (2, 2)],
                "the JSON is damaged after record 2: a comma or the array's end is missing",
                False,
            ),
        ),
        (b"[1,]", (True, [(1, 1)], "record 2 of the JSON is damaged: Expecting value", False)),
        (b"[1,", (True, [(1, 1)], "the JSON ends before record 2", False)),
        (b"[", (True, [], "the JSON is empty", False)),
        (b"[NaN]", (True, [], "record 1 of the JSON is damaged: NaN is not JSON", False)),
        (b"[1,-Infinity]", (True, [(1, 1)], "record 2 of the JSON is damaged: -Infinity is not JSON", False)),
        (b"[1e999]", (True, [], "record 1 of the JSON is damaged: the number 1e999 is too large", False)),
        (
            b"1e" + b"9" * 50,
            (False, [], f"record 1 of the JSON is damaged: the number 1e{'9' * 38} is too large", False),
        ),
        (b"[" + b"9" * 5000 + b"]", (True, [], "record 1 of the JSON is damaged: a number has too many digits", False)),
        (b"[" * 200_000, (True, [], "record 1 of the JSON is nested too deeply", False)),
    ],
)
def test_the_records_of_a_document(content: bytes, expected: tuple[Any, ...]) -> None:
    assert document(content) == expected


@pytest.mark.parametrize(
    ("content", "got", "is_mended"),
    [
        (b'[NaN,1,{"a":-Infinity}]', [(1, None), (2, 1), (3, {"a": None})], True),
        (b"[1, 2.5, null]", [(1, 1), (2, 2.5), (3, None)], False),
    ],
)
def test_what_a_result_says_for_no_number_is_null(content: bytes, got: list[Any], is_mended: bool) -> None:
    assert document(content, is_result=True) == (True, got, "", is_mended)


@pytest.mark.parametrize("content", [b"[\xff]", b"\xff"])
def test_a_document_in_another_encoding_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^the JSON is not UTF-8$"):
        records.Document(MemoryFile(content))


@pytest.mark.parametrize("shift", range(6))
def test_a_value_that_a_reading_cuts_is_whole(shift: int) -> None:
    # A number of 12 digits lies across the end of what is read at once.
    blanks = b" " * (64 * 1024 - 8 + shift)
    assert document(blanks + b"123456789012, 7") == (
        *(False, [(1, 123456789012)], "the JSON is damaged: there is text behind its end", False),
    )
    assert document(b"[" + blanks + b"-12.5e-1,true ]") == (True, [(1, -1.25), (2, True)], "", False)


@pytest.mark.parametrize("letters", [120, 60])
def test_a_record_of_json_has_bounds(monkeypatch: pytest.MonkeyPatch, letters: int) -> None:
    monkeypatch.setattr(records, "_CHUNK", 100)
    monkeypatch.setattr(bounds, "RECORD_CHARACTERS", 90)
    content = json.dumps(["x" * letters]).encode()
    if letters < 90:
        assert document(content) == (True, [(1, "x" * letters)], "", False)
    else:
        assert document(content) == (True, [], "a record of the JSON is longer than 90 characters", False)


@pytest.mark.parametrize(
    ("element", "problem"),
    [
        ([1] * 6, ""),
        ([1] * 7, "a record of the JSON has more than 6 values"),
        ([{}] * 4, "a record of the JSON has more than 6 values"),
        ([[]] * 4, "a record of the JSON has more than 6 values"),
    ],
)
@pytest.mark.usefixtures("small")
def test_the_values_of_a_record_have_a_bound(element: list[Any], problem: str) -> None:
    found = document(json.dumps([element]).encode())
    assert found == (True, [] if problem else [(1, element)], problem, False)


@pytest.mark.parametrize(
    ("values", "is_array", "text"),
    [
        ([], True, "[]"),
        ([{"a": 1, "b": [None, True]}, "ä"], True, '[{"a":1,"b":[null,true]},"ä"]'),
        ([{"a": 1}], False, '{"a":1}'),
    ],
)
def test_json_is_written_closely_up_to_its_limit(values: list[Any], is_array: bool, text: str) -> None:
    content, target = text.encode(), MemoryFile()
    records.write_json(values, is_array, target, len(content))
    assert target.content == content
    with pytest.raises(TooLargeError) as caught:
        records.write_json(values, is_array, target, len(content) - 1)
    assert str(caught.value) == f"the data is larger than {len(content) - 1} bytes once it is converted"


def test_half_a_letter_is_no_unicode() -> None:
    with pytest.raises(DataError, match=r"^a text has half of a surrogate pair, which is no Unicode$"):
        records.write_json(["\ud800"], True, MemoryFile(), 100)


def test_what_is_nested_too_deeply_is_not_written() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DataError, match=r"^a record of the JSON is nested too deeply$"):
        records.write_json([deep], True, MemoryFile(), 10**6)
    while deep:  # taken apart from outside, or freeing it would be as deep
        deep = deep.pop()


ROWS = [(1, {"b": 1, "x": 0}), (2, {"a": ["p", None], "b": True}), (3, {}), (4, {"a": "q,", "b": 2.5})]


@pytest.mark.parametrize(
    ("columns", "with_header", "text"),
    [
        ({"a": 2, "b": 1}, True, 'a,a,b\n,,1\np,,true\n,,\n"q,",,2.5\n'),
        ({"a": 2, "b": 1}, False, ',,1\np,,true\n,,\n"q,",,2.5\n'),
        ({"b": 1, "a": 2}, True, 'b,a,a\n1,,\ntrue,p,\n,,\n2.5,"q,",\n'),
    ],
)
def test_csv_is_written_up_to_its_limit(columns: dict[str, int], with_header: bool, text: str) -> None:
    target = MemoryFile()
    records.write_csv(ROWS, columns, with_header, target, len(text))
    assert target.content.decode() == text
    with pytest.raises(TooLargeError):
        records.write_csv(ROWS, columns, with_header, target, len(text) - 1)


@pytest.mark.parametrize("with_header", [True, False])
def test_without_columns_there_is_no_header(with_header: bool) -> None:
    target = MemoryFile(b"before")
    records.write_csv([], {}, with_header, target, 0)
    assert target.content == b""


@pytest.mark.usefixtures("small")
def test_what_is_written_has_no_more_columns_than_can_be_read() -> None:
    records.write_csv([], {"a": 3, "b": 1}, True, MemoryFile(), 99)
    with pytest.raises(DataError, match=r"^the data has more than 4 columns$"):
        records.write_csv([], {"a": 4, "b": 1}, True, MemoryFile(), 99)
    assert records.columns_of([(1, dict.fromkeys("abcd"))]) == {"a": 1, "b": 1, "c": 1, "d": 1}
    with pytest.raises(DataError, match=r"^the data has more than 4 columns$"):
        records.columns_of([(1, dict.fromkeys("abcde"))])


def test_a_column_is_as_wide_as_its_longest_list() -> None:
    found = records.columns_of([(1, {"a": 1, "b": []}), (2, {"c": [1, 2], "a": [1, 2, 3]}), (3, {"a": [1], "c": None})])
    assert list(found.items()) == [("a", 3), ("b", 1), ("c", 2)]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"a": {}}, "record 7 is not flat: 'a' holds more than values"),
        ({"a": [[1]]}, "record 7 is not flat: 'a' holds more than values"),
        ({"n" * 81: {}}, f"record 7 is not flat: '{'n' * 80}' holds more than values"),
    ],
)
def test_a_record_that_is_not_flat_is_told_by_name(record: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        records.write_csv([(7, record)], dict.fromkeys(record, 1), True, MemoryFile(), 999)
    assert str(caught.value) == sentence
    with pytest.raises(DataError) as caught:
        records.columns_of([(3, [])])
    assert str(caught.value) == "record 3 is not an object: only an array of flat objects can be had as CSV"


def test_many_problems_end_the_search() -> None:
    problems = Problems()
    problems.raise_if_any()
    for number in range(MOST - 1):
        problems.add(f"p{number}")
    with pytest.raises(DataError) as caught:
        problems.raise_if_any()
    assert str(caught.value) == "; ".join(f"p{number}" for number in range(19))
    with pytest.raises(DataError) as caught:
        problems.add("last")
    assert str(caught.value) == "; ".join([*(f"p{number}" for number in range(19)), "last"]) + (
        "; only the first 20 problems are named"
    )
    assert caught.value.problems == (*(f"p{number}" for number in range(19)), "last")


def test_a_file_in_memory_is_written_anew_and_read_in_both_modes() -> None:
    file = MemoryFile(b"old\r\n")
    with file.open(encoding="utf-8", newline="") as text:
        assert text.read() == "old\r\n"
    with file.open("rb") as raw:
        assert raw.read() == b"old\r\n"
    with file.open("wb") as out:
        out.write(b"new")
        assert file.content == b"old\r\n"
    assert file.content == b"new"
    out.close()
    assert (file.content, MemoryFile().content) == (b"new", b"")
