"""MIME types as they are written, and texts of a CSV that are numbers."""

import pytest

from model_server.tabular import mime, numbers
from model_server.tabular.mime import Form, MimeType


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Text/CSV; Header="Absent"; charset=utf-8', MimeType("text/csv", "absent")),
        (" text/csv ; ", MimeType("text/csv", None)),
        ("a/b;c=d;header=X", MimeType("a/b", "x")),
        ('a/b;header=""', MimeType("a/b", "")),
        ('a/b; x="1;header=absent"', MimeType("a/b", None)),
        ("x/" + "y" * 253, MimeType("x/" + "y" * 253, None)),
        ("x/" + "y" * 254, None),
        ("text", None),
        ("text/csv; header", None),
        ("\u00a0text/csv", None),
        ("", None),
    ],
)
def test_a_type_is_read_as_it_is_written(text: str, expected: MimeType | None) -> None:
    assert mime.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "form"),
    [
        *(("text/csv", Form.CSV), ("application/csv", Form.CSV), ("application/csv; header=absent", Form.BARE_CSV)),
        *(("application/json", Form.JSON), ("text/json", Form.JSON), ("text/json; header=absent", Form.JSON)),
        *(("text/csv; header=strange", Form.CSV), ("text/plain", None), ("csv", None)),
    ],
)
def test_each_structured_type_has_its_form(text: str, form: Form | None) -> None:
    assert mime.form(text) is form
    assert form is None or form.is_table is (form in (Form.CSV, Form.BARE_CSV))


@pytest.mark.parametrize(
    ("declared", "form"),
    [
        ((), Form.CSV),
        (("nothing", "application/json; header=absent", "text/csv", "text/csv; header=absent"), Form.BARE_CSV),
        (("text/csv; header=present", "text/csv; header=absent"), Form.CSV),
    ],
)
def test_the_first_declared_csv_that_tells_of_its_header_counts(declared: tuple[str, ...], form: Form) -> None:
    assert mime.form("text/csv", declared) is form


@pytest.mark.parametrize(
    ("text", "says_nothing"),
    [("*/*", True), (" Application/Octet-Stream ", True), ("text/*", False), ("", False)],
)
def test_a_type_of_every_file_says_nothing(text: str, says_nothing: bool) -> None:
    assert mime.says_nothing(text) is says_nothing


@pytest.mark.parametrize(
    ("declared", "of_part", "supported", "expected"),
    [
        ("text/plain", "", ["*/*"], "text/plain"),
        ("text/plain", "", ["image/png", "application/octet-stream"], "text/plain"),
        ("text/csv; header=absent", "", ["text/csv"], "text/csv; header=absent"),
        ("text/csv", "", ["text/csv; header=absent"], "text/csv"),
        ("text/csv; header=present", "", ["text/csv; header=absent", "nothing"], None),
        ("text/csv; header=absent", "", ["text/csv; header=present", "text/csv; header=absent"], "="),
        ("", "image/png", ["text/csv", "image/png"], "image/png"),
        ("", "image/png", ["text/csv", "image/gif"], "text/csv"),
        ("text/csv", "image/png", ["text/csv", "image/png"], "text/csv"),
    ],
)
def test_what_is_declared_must_be_supported(
    declared: str, of_part: str, supported: list[str], expected: str | None
) -> None:
    assert mime.choose(declared, of_part, supported) == (declared if expected == "=" else expected)


def test_types_that_are_declared_already_are_not_added_again() -> None:
    declared = ("text/csv; header=absent", "image/png", "text/json")
    assert mime.convertible(declared) == (*declared, "text/csv; header=present")


@pytest.mark.parametrize(
    "text", ["", "  ", "nan", "NaN", "inf", "-inf", "+inf", "Infinity", "-Infinity", "+infinity", " nan "]
)
def test_what_programs_write_for_no_value_is_none(text: str) -> None:
    assert numbers.exact(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("-9007199254740991", -(2**53) + 1), ("-0", 0), ("-7", -7), ("12.0", 12.0), ("1E3", 1000.0), ("2e-1", 0.2)),
        *(("123456789.12345", 123456789.12345), ("0.12345678901234568", 0.12345678901234568), ("1e+2", 100.0)),
    ],
)
def test_a_number_keeps_its_kind(text: str, number: float) -> None:
    found = numbers.exact(text)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    "text",
    ["-9007199254740992", "1E-999", "1e-999", "-1e999", "0.12345678901234567", "\t7", "7\n", "1e1234", "00", "nano"],
)
def test_a_text_that_a_number_would_change_is_none(text: str) -> None:
    with pytest.raises(numbers.NotExactError):
        numbers.exact(text)


def test_a_column_without_any_number_stays_text() -> None:
    rows = [{"a": "", "b": ["", "nan"], "c": "x"}, {"a": "nan", "b": ["", ""], "c": "7", "d": "8"}]
    assert numbers.columns_of(rows) == {"d"}
    assert numbers.typed({"a": "1", "b": ["2", ""], "c": "3"}, frozenset({"b", "c", "z"})) == {
        "a": "1",
        "b": [2, None],
        "c": 3,
    }
