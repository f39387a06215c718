"""The beginning of an answer: tables told from text and files, everything bounded, nothing that redraws a terminal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.answer import MOST_COLUMNS, MOST_ROWS, read


def test_a_csv_is_a_table_with_its_rows_counted() -> None:
    answer = read(b"id,score,name\n" + b"".join(f'{n},{n}.5,"a, b"\n'.encode() for n in range(150)))
    assert (answer.kind, answer.columns, answer.row_count) == ("table", ("id", "score", "name"), 150)
    assert answer.rows[1] == ("1", "1.5", "a, b")
    assert len(answer.rows) == MOST_ROWS
    assert answer.numeric == (True, True, False)
    assert answer.title == "CSV, 10 of 150 rows, 2.3 kB"
    assert answer.first(5).title == "CSV, 5 of 150 rows, 2.3 kB"


def test_json_records_are_a_table() -> None:
    answer = read(json.dumps([{"a": 1, "b": "x"}, {"a": 2.5, "c": [1, {"d": None}]}]).encode())
    assert (answer.what, answer.columns, answer.row_count) == ("JSON", ("a", "b", "c"), 2)
    assert answer.rows == (("1", "x", ""), ("2.5", "", '[1, {"d": null}]'))
    assert read(b'{"score": 0.5, "label": "yes"}').rows == (("0.5", "yes"),)


@pytest.mark.parametrize(
    ("content", "name", "kind", "what"),
    [
        (b"\x89PNG\r\n\x1a\n....", "", "file", "PNG image"),
        (b"\xff\xd8\xff\xe0", "", "file", "JPEG image"),
        (b"\x80\x81\x82", "", "file", "binary file"),
        (b"a\0b", "", "file", "binary file"),
        (b"", "", "text", "text"),
        (b"one line", "", "text", "text"),
        (b"Dear, you\nthis is, well, text\n", "", "text", "text"),
        (b"a,b\n1,2\n", "expected.txt", "text", "text"),
        (b"one\n1\n2\n", "expected.csv", "table", "CSV"),
        (b"[1, 2]", "", "text", "JSON"),
        (b'{"a": {"b": 1}}', "", "text", "JSON"),
        (b"[" * 100_000, "", "text", "text"),
        (b"\xef\xbb\xbfa,b\n1,2\n", "", "table", "CSV"),
    ],
)
def test_its_bytes_say_what_it_is(content: bytes, name: str, kind: str, what: str) -> None:
    answer = read(content, name)
    assert (answer.kind, answer.what, answer.size) == (kind, what, len(content))


def test_cells_rows_and_columns_are_bounded() -> None:
    wide = read(("x,y," * 400 + "z\n" + "v" * 10_000 + "," + "," * 799 + "\n").encode())
    assert (len(wide.columns), wide.column_count) == (MOST_COLUMNS, 801)
    assert max(len(cell) for row in wide.rows for cell in row) == 40
    assert wide.rows[0][0].endswith("…")


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)), st.sampled_from(["", "e.csv", "e.txt"])
)
def test_no_answer_makes_it_stumble_or_holds_a_control_character(content: bytes, name: str) -> None:
    answer = read(content, name)
    assert all(len(row) == len(answer.columns) for row in answer.rows if answer.kind == "table")
    for text in (*answer.columns, *(cell for row in answer.rows for cell in row)):
        assert text.isprintable()
        assert len(text) <= 200
