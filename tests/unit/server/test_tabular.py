"""MIME types; CSV and JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.tabular import mime
from model_server.tabular.convert import ConversionError, csv_to_records, records_to_csv

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


@given(st.text(max_size=300))
def test_any_text_is_a_type_or_is_not(text: str) -> None:
    parsed = mime.parse(text)
    assert parsed is None or "/" in parsed.essence


def test_csv_becomes_records_of_texts() -> None:
    content = '\ufeffid,"na,me"\r\n1,"a\nb"\r\n\r\n2,\r\n'.encode()
    assert csv_to_records(content) == [{"id": "1", "na,me": "a\nb"}, {"id": "2", "na,me": ""}]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"a,a\n1,2\n", "more than once"),
        (b"a,b\n1,2\n3\n", "row 2 of the CSV has 1 fields"),
        (b"a\n\xff\n", "not UTF-8"),
        (b'a\n"b', "damaged"),
    ],
)
def test_csv_that_cannot_be_json_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(ConversionError, match=reason):
        csv_to_records(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{}", "array of objects"),
        (b"[1]", "array of objects"),
        (b'[{"a":[1]}]', "not flat"),
        (b'[{"a":NaN}]', "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_json_that_cannot_be_csv_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(ConversionError, match=reason):
        records_to_csv(content)


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda name: name.strip())


@given(st.lists(names, min_size=2, max_size=4, unique=True), st.data())
def test_flat_texts_survive_both_ways(columns: list[str], data: st.DataObject) -> None:
    cell = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    records = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(columns, cell)), min_size=1, max_size=5))
    assert csv_to_records(records_to_csv(json.dumps(records).encode())) == records
