"""Pages get each result as a whole view; a tree, a cell and a text are cut where they must be."""

import json
from pathlib import Path
from typing import Any

import pytest

from model_server import bounds
from model_server.tabular import detect, view
from model_server.tabular.mime import Form
from model_server.tabular.view import Look


def look(folder: Path, content: bytes, form: Form | None, **wish: Any) -> dict[str, Any]:
    path = folder / "result"
    path.write_bytes(content)
    found = view.look(path, form, Look(**wish))
    assert found.pop("size") == len(content)
    return dict(json.loads(json.dumps(found)))


def cells(*texts: str) -> list[dict[str, Any]]:
    return [{"text": text} for text in texts]


def bins(*there: int) -> list[int]:
    return [there.count(number) for number in range(20)]


CITIES = b"city,size,share\nRye,10,0.50\nKew,,0.25\nEly,9,1.00\n"
TABLE: dict[str, Any] = {
    "kind": "table",
    "columns": [
        {"name": "city", "histogram": None},
        {"name": "size", "histogram": {"low": 9.0, "high": 10.0, "counts": bins(0, 19)}},
        {"name": "share", "histogram": {"low": 0.25, "high": 1.0, "counts": bins(0, 6, 19)}},
    ],
    "all_columns": 3,
    "rows": [cells("Rye", "10", "0.50"), cells("Kew", "", "0.25"), cells("Ely", "9", "1.00")],
    "first": 1,
    "total": 3,
    "is_whole": True,
    "page": 1,
    "pages": 1,
    "numeric": [1, 2],
    "points": {"x": 1, "y": 2, "points": [[10.0, 0.5], [9.0, 1.0]], "is_part": False},
    "left_out": 0,
}
SAME = [[share, share] for share in (0.5, 0.25, 1.0)]
LIST = {"is": "array", "count": 2, "items": [["0", {"text": "1"}], ["1", {"text": "2"}]], "more": 0}


@pytest.mark.parametrize(
    ("wish", "changes"),
    [
        ({}, {}),
        ({"page": 2, "size": 2}, {"rows": [cells("Ely", "9", "1.00")], "first": 3, "page": 2, "pages": 2}),
        ({"page": 9, "size": 3}, {}),
        ({"sort": 1, "size": 1}, {"rows": [cells("Ely", "9", "1.00")], "pages": 3}),
        ({"sort": 1, "is_descending": True, "size": 1}, {"rows": [cells("Rye", "10", "0.50")], "pages": 3}),
        ({"sort": 1, "page": 3, "size": 1}, {"rows": [cells("Kew", "", "0.25")], "first": 3, "page": 3, "pages": 3}),
        ({"sort": 2, "size": 1}, {"rows": [cells("Kew", "", "0.25")], "pages": 3}),
        ({"sort": 3, "size": 1}, {"rows": [cells("Rye", "10", "0.50")], "pages": 3}),
        ({"x": 2}, {"points": {"x": 2, "y": 1, "points": [[0.5, 10.0], [1.0, 9.0]], "is_part": False}}),
        ({"x": 2, "y": 2}, {"points": {"x": 2, "y": 2, "points": SAME, "is_part": False}}),
        ({"x": 0, "y": 9}, {}),
        ({"y": 1}, {"points": {"x": 1, "y": 1, "points": [[10.0, 10.0], [9.0, 9.0]], "is_part": False}}),
    ],
)  # fmt: skip
def test_a_page_of_a_table(tmp_path: Path, wish: dict[str, Any], changes: dict[str, Any]) -> None:
    assert look(tmp_path, CITIES, Form.CSV, **wish) == {**TABLE, **changes}


def test_what_is_sorted_as_text_is_so_in_any_case_with_nothing_last(tmp_path: Path) -> None:
    content = json.dumps([{"a": value} for value in ("b", None, "C", "", "a", {"x": 1}, 7)]).encode()
    order = lambda **wish: [row[0]["text"] for row in look(tmp_path, content, Form.JSON, sort=0, **wish)["rows"]]  # noqa: E731
    assert order() == ["7", "a", "b", "C", "", "", ""]
    assert order(is_descending=True) == ["", "C", "b", "a", "7", "", ""]  # an object by its text: it begins with {


@pytest.mark.parametrize(
    ("content", "form", "expected"),
    [
        (
            b'[{"a":1,"b":{"c":[1,2]}},{"a":2.5,"d":null}]',
            Form.JSON,
            {
                **TABLE,
                "columns": [
                    {"name": "a", "histogram": {"low": 1.0, "high": 2.5, "counts": bins(0, 19)}},
                    {"name": "b", "histogram": None},
                    {"name": "d", "histogram": None},
                ],
                "rows": [
                    [
                        {"text": "1"},
                        {"tree": {"is": "object", "count": 1, "items": [["c", LIST]], "more": 0}, "text": ""},
                        {"text": ""},
                    ],
                    cells("2.5", "", ""),
                ],
                "total": 2,
                "numeric": [0],
                "points": None,
            },
        ),
        (
            b"[1,true,null]",
            Form.JSON,
            {
                **TABLE,
                "columns": [{"name": "value", "histogram": None}],
                "all_columns": 1,
                "rows": [cells("1"), cells("true"), cells("")],
                "numeric": [],
                "points": None,
            },
        ),
        (
            b"a,a,b\n1,2,3\n1\n",
            Form.CSV,
            {
                **TABLE,
                "columns": [
                    {"name": "a", "histogram": None},
                    {"name": "b", "histogram": {"low": 3.0, "high": 3.0, "counts": [1]}},
                ],
                "all_columns": 2,
                "rows": [[{"tree": LIST, "text": ""}, {"text": "3"}]],
                "total": 1,
                "numeric": [1],
                "points": None,
                "left_out": 1,
            },
        ),
        (
            b"1,x\n",
            Form.BARE_CSV,
            {
                **TABLE,
                "columns": [
                    {"name": "1", "histogram": {"low": 1.0, "high": 1.0, "counts": [1]}},
                    {"name": "2", "histogram": None},
                ],
                "all_columns": 2,
                "rows": [cells("1", "x")],
                "total": 1,
                "numeric": [0],
                "points": None,
            },
        ),
        (
            b"a\n",
            Form.CSV,
            {
                **TABLE,
                "columns": [{"name": "a", "histogram": None}],
                "all_columns": 1,
                "rows": [],
                "total": 0,
                "numeric": [],
                "points": None,
            },
        ),
        (b"[[1,2]]", Form.JSON, {"kind": "tree", "tree": {**LIST, "count": 1, "items": [["0", LIST]]}}),
        (b'[{"a":1},2]', Form.JSON, {
            "kind": "tree",
            "tree": {**LIST, "items": [
                ["0", {"is": "object", "count": 1, "items": [["a", {"text": "1"}]], "more": 0}], ["1", {"text": "2"}],
            ]},
        }),
        (b"[]", Form.JSON, {"kind": "tree", "tree": {"is": "array", "count": 0, "items": [], "more": 0}}),
        (b'"x"', Form.JSON, {"kind": "tree", "tree": {"text": "x"}}),
        (b'{"a":', Form.JSON, {
            "kind": "damaged",
            "problem": "record 1 of the JSON is damaged: Expecting value",
            "text": '{"a":',
            "is_cut": False,
        }),
        (b"a\n\xff\n", Form.CSV, {
            "kind": "damaged",
            "problem": "the CSV is not UTF-8, at byte 1 of line 2 (0xff): save it as CSV with commas, in UTF-8 (of a "
            "spreadsheet: CSV UTF-8)",
            "text": "",
            "is_cut": False,
        }),
        (b"\xef\xbb\xbfprose\r\n\t\xc3\xa4", None, {"kind": "text", "text": "prose\r\n\tä", "is_cut": False}),
        (b"\x07bell", None, {"kind": "other", "text": "", "is_cut": False}),
        (b"\xff", None, {"kind": "other", "text": "", "is_cut": False}),
        (b"\xff\xd8\xff\xe0", None, {"kind": "image", "type": "image/jpeg"}),
        (b"\x89PNG\r\n\x1a\nx", Form.CSV, {"kind": "image", "type": "image/png"}),
    ],
)  # fmt: skip
def test_the_view_of_a_result(tmp_path: Path, content: bytes, form: Form | None, expected: dict[str, Any]) -> None:
    assert look(tmp_path, content, form) == expected


@pytest.mark.parametrize(
    ("content", "form", "is_whole", "rows"),
    [
        (b"a\n1\n2\n3\n", Form.CSV, True, 3),
        (b"a\n1\n2\n33\n", Form.CSV, False, 2),
        (b"[1,\n2,\n3]", Form.JSON, False, 2),
        (b"[1,2,3,45]", Form.JSON, False, 3),
        (b"[12345678]", Form.JSON, False, 1),
        (b"a\n1\n2\n3,\xff", Form.CSV, False, 2),
    ],
)
def test_of_a_larger_result_its_whole_lines_are_a_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, form: Form, is_whole: bool, rows: int
) -> None:
    monkeypatch.setattr(bounds, "SHOWN_BYTES", 8)
    found = look(tmp_path, content, form)
    assert (found["kind"], found["is_whole"], found["total"]) == ("table", is_whole, rows)


@pytest.mark.parametrize(
    ("content", "form", "names"),
    [
        (b"1,22,3,45,6", Form.BARE_CSV, ["1", "2", "3"]),
        (b"a,bb,c,de,f", Form.CSV, ["a", "bb", "c"]),
        (b"[1,22,3,45]", Form.JSON, ["value"]),
    ],
)
def test_of_a_single_line_the_whole_values_are_a_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, form: Form, names: list[str]
) -> None:
    for size in (7, 8):
        monkeypatch.setattr(bounds, "SHOWN_BYTES", size)
        found = look(tmp_path, content, form)
        assert ([column["name"] for column in found["columns"]], found["all_columns"]) == (names, len(names))


@pytest.mark.parametrize("content", [b'{"a":1,"b":2}', b"[[1],\n[2],\n[3]]"])
def test_of_a_tree_there_is_no_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    assert look(tmp_path, content, Form.JSON)["kind"] == "tree"
    monkeypatch.setattr(bounds, "SHOWN_BYTES", 8)
    assert look(tmp_path, content, Form.JSON) == {"kind": "other"}


def test_a_table_has_so_many_rows_and_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "READ_ROWS", 3)
    monkeypatch.setattr(bounds, "SHOWN_COLUMNS", 3)
    assert look(tmp_path, CITIES, Form.CSV) == TABLE
    monkeypatch.setattr(bounds, "READ_ROWS", 2)
    found = look(tmp_path, CITIES, Form.CSV)
    assert (found["total"], found["is_whole"], found["rows"]) == (2, False, TABLE["rows"][:2])
    monkeypatch.setattr(bounds, "SHOWN_COLUMNS", 2)
    found = look(tmp_path, CITIES, Form.CSV, sort=2, size=1)  # the third is not shown, and sorts nothing
    assert (found["all_columns"], len(found["columns"]), found["rows"]) == (3, 2, [cells("Rye", "10")])


def test_a_text_and_its_cells_are_cut_where_they_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SHOWN_TEXT_BYTES", 4)
    assert look(tmp_path, b"prose", None) == {"kind": "text", "text": "pros", "is_cut": True}
    assert look(tmp_path, b"pros", None) == {"kind": "text", "text": "pros", "is_cut": False}
    assert look(tmp_path, b"abc\xc3\xa4", None) == {"kind": "text", "text": "abc", "is_cut": True}
    for length, shown in ((300, "x" * 300), (301, "x" * 300 + "…")):
        text = "x" * length
        found = look(tmp_path, f"{text}\n{text}\n".encode(), Form.CSV)
        assert (found["columns"][0]["name"], found["rows"]) == ("x" * 300, [cells(shown)])
        tree = look(tmp_path, json.dumps({text: text}).encode(), Form.JSON)["tree"]
        assert tree["items"] == [["x" * 300, {"text": shown}]]


def test_a_tree_is_a_thousand_parts_and_sixteen_levels(tmp_path: Path) -> None:
    wide = look(tmp_path, json.dumps({"a": [0] * 600, "b": [0] * 600, "c": 1}).encode(), Form.JSON)["tree"]
    (_, first), (_, second) = wide["items"]
    assert (len(first["items"]), first["more"], first["count"]) == (600, 0, 600)
    assert (len(second["items"]), second["more"], second["count"]) == (398, 202, 600)
    assert (wide["count"], wide["more"]) == (3, 1)
    tree, levels = look(tmp_path, f'{{"a":{"[" * 20 + "]" * 20}}}'.encode(), Form.JSON)["tree"], 0
    while tree["items"]:
        tree, levels = tree["items"][0][1], levels + 1
    assert (levels, tree) == (16, {"is": "array", "count": 1, "items": [], "more": 1})


def test_many_points_are_sampled_evenly(tmp_path: Path) -> None:
    def points(count: int) -> dict[str, Any]:
        content = "a,b\n" + "".join(f"{number},1\n" for number in range(count))
        found: dict[str, Any] = look(tmp_path, content.encode(), Form.CSV)["points"]
        return found

    assert (len(points(1000)["points"]), points(1000)["is_part"]) == (1000, False)
    found = points(1001)
    assert ([x for x, _ in found["points"]], found["is_part"]) == (list(range(0, 1001, 2)), True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([2.0, 2.0], {"low": 2.0, "high": 2.0, "counts": [2]}),
        ([0.0, 0.04, 0.05, 0.5, 0.99, 1.0], {"low": 0.0, "high": 1.0, "counts": bins(0, 0, 1, 10, 19, 19)}),
        ([-4.0, 16.0, 0.0, 1.0], {"low": -4.0, "high": 16.0, "counts": bins(0, 4, 5, 19)}),
    ],
)
def test_a_histogram_has_twenty_bins(values: list[float], expected: dict[str, Any] | None) -> None:
    assert view.histogram(values) == expected


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        ([1, 2.5, None], True),
        ([None, None], False),
        ([1, True], False),
        ([1, "2"], False),
        ([10**400, 1], False),
        ([1, [2]], False),
    ],
)
def test_a_column_of_json_is_numeric_or_not(tmp_path: Path, values: list[Any], numeric: bool) -> None:
    content = json.dumps([{"a": value, "z": "t"} for value in values]).encode()
    assert look(tmp_path, content, Form.JSON)["numeric"] == ([0] if numeric else [])


@pytest.mark.parametrize(
    ("head", "kind", "suffix"),
    [
        (b"RIFF1234WEBPx", "image/webp", ".webp"),
        (b"RIFF1234WAVE", None, ".txt"),
        (b"GIF89a", "image/gif", ".gif"),
        (b"\xff\xd8\xff", "image/jpeg", ".jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
        (b"\x89PNG\r\n", None, ".bin"),
        (b" \n{1", None, ".json"),
        (b"\xef\xbb\xbf[1", None, ".json"),
        (b"a,b\n", None, ".csv"),
        (b"a\nb,c", None, ".txt"),
        (b"a,\xc3", None, ".csv"),  # cut in the midst of a letter
        (b"a,\xc3,", None, ".bin"),
        (b"a,\0", None, ".bin"),
        (b"", None, ".txt"),
    ],
)
def test_what_the_first_bytes_say(head: bytes, kind: str | None, suffix: str) -> None:
    assert (detect.image_type(head), detect.suffix_of(head)) == (kind, suffix)


WIDE = "x" * 256


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (f"{WIDE},b\n1,2\n".encode(), Form.CSV),
        (f"{WIDE}x,b\n1,2\n".encode(), None),
        (b"a\n1\n", Form.CSV),
        (b"a\n", None),
        (b"a,b", Form.CSV),
        (b"1,2", Form.BARE_CSV),
        (b"1", Form.JSON),
        (b"1,\n", Form.CSV),
        (b",\n1,2\n", None),
        (b"a,\n1,2\n", Form.CSV),
        (b"{a,b\n1,2\n", None),
        (b"a,[b\n1,2\n", None),
        (b"a;b,c\n1,2\n", Form.CSV),
        (b"a,b\n" + b"1,2\n" * 100 + b"3\n", Form.CSV),
        (b"a,b\n" + b"1,2\n" * 99 + b"3\n", None),
        (b"a,b\n" + b"x" * 65536 + b",2\n3\n", Form.CSV),
        (b"a,b\n" + b"x" * 65535 + b",\n3\n", None),
        (b"a,b\n" + b"1,2\n" * 17_000 + b"\0", Form.CSV),
        (b"a,b\n" + b"1,2\n" * 16_000 + b"\0", None),
        (b"[1, x", Form.JSON),
        (b"{} x", None),
        (b"[x", None),
    ],
)
def test_the_form_that_bytes_have(tmp_path: Path, content: bytes, form: Form | None) -> None:
    path = tmp_path / "result"
    path.write_bytes(content)
    assert detect.form_of(path) is form
