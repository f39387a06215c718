"""A page shows a bounded part of a result, whatever the result is."""

import json
from pathlib import Path
from typing import Any

import pytest

from model_server import bounds
from model_server.tabular import view
from model_server.tabular.mime import Form
from model_server.tabular.view import Look


def shown(folder: Path, content: bytes, form: Form | None = Form.CSV, **look: Any) -> dict[str, Any]:
    path = folder / "result"
    path.write_bytes(content)
    found = view.look(path, form, Look(**look))
    return dict(json.loads(json.dumps(found)))  # as a process of its own hands it over


def texts(found: dict[str, Any]) -> list[list[str]]:
    return [[cell["text"] for cell in row] for row in found["rows"]]


CITIES = b"city,size,share\nRye,10,0.50\nKew,,0.25\nEly,9,1.00\n"


def test_a_table_shows_what_was_written_and_knows_its_numbers(tmp_path: Path) -> None:
    found = shown(tmp_path, CITIES)
    assert texts(found) == [["Rye", "10", "0.50"], ["Kew", "", "0.25"], ["Ely", "9", "1.00"]]
    assert (found["kind"], found["total"], found["numeric"], found["is_whole"]) == ("table", 3, [1, 2], True)
    assert [column["histogram"] is None for column in found["columns"]] == [True, False, False]
    assert found["points"] == {"x": 1, "y": 2, "points": [[10, 0.5], [9, 1]], "is_part": False}


@pytest.mark.parametrize(
    ("sort", "is_descending", "order"),
    [
        (0, False, ["Ely", "Kew", "Rye"]),
        (0, True, ["Rye", "Kew", "Ely"]),
        (1, False, ["Ely", "Rye", "Kew"]),  # 9 before 10, and nothing last
        (1, True, ["Rye", "Ely", "Kew"]),
        (9, False, ["Rye", "Kew", "Ely"]),  # there is no such column
    ],
)
def test_rows_are_sorted_by_number_or_text(tmp_path: Path, sort: int, is_descending: bool, order: list[str]) -> None:
    found = shown(tmp_path, CITIES, sort=sort, is_descending=is_descending)
    assert [row[0] for row in texts(found)] == order


def test_ten_thousand_rows_are_a_page_at_a_time(tmp_path: Path) -> None:
    content = b"n,m\n" + b"".join(b"%d,%d\n" % (n, n % 7) for n in range(10_000))
    found = shown(tmp_path, content, page=3, size=50)
    assert (found["total"], found["pages"], found["page"], found["first"]) == (10_000, 200, 3, 101)
    assert [row[0] for row in texts(found)] == [str(n) for n in range(100, 150)]
    assert sum(found["columns"][0]["histogram"]["counts"]) == 10_000
    assert len(found["points"]["points"]) == 1000
    assert shown(tmp_path, content, page=10**6)["page"] == 200


@pytest.mark.parametrize("form", [Form.CSV, Form.JSON])
def test_of_a_large_result_only_the_head_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form) -> None:
    monkeypatch.setattr(bounds, "SHOWN_BYTES", 1000)
    rows = [{"n": n, "text": "x"} for n in range(1000)]
    lines = "n,text\n" + "".join(f"{row['n']},x\n" for row in rows)
    text = lines if form is Form.CSV else "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]"
    read: list[int] = []

    class Watched(type(tmp_path)):  # type: ignore[misc]
        def open(self, *arguments: Any, **named: Any) -> Any:
            file = super().open(*arguments, **named)
            inner = file.read
            file_read = lambda size=-1: read.append(size) or inner(size)  # noqa: E731
            return _Reader(file, file_read)

    path = tmp_path / "result"
    path.write_text(text)
    found = view.look(Watched(path), form, Look())
    assert found["is_whole"] is False
    assert 10 < found["total"] < 1000
    assert found["rows"][0][0]["text"] == "0"
    assert read == [bounds.SHOWN_TEXT_BYTES, 1000]


class _Reader:
    """A file whose reads are noted."""

    def __init__(self, file: Any, read: Any) -> None:
        self._file, self.read = file, read

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def seek(self, place: int) -> None:
        self._file.seek(place)


def test_rows_of_another_length_are_counted_and_left_out(tmp_path: Path) -> None:
    found = shown(tmp_path, b"a,b\n1,2\n1\n" + b"1,2,3\n" * 50)
    assert (found["total"], found["left_out"]) == (1, 51)


def test_records_of_json_are_a_table_with_folded_values(tmp_path: Path) -> None:
    found = shown(tmp_path, b'[{"a":1,"b":{"c":[1,2]}},{"a":2.5,"d":null}]', Form.JSON)
    assert [column["name"] for column in found["columns"]] == ["a", "b", "d"]
    assert found["rows"][0][1]["tree"]["items"][0][0] == "c"
    assert found["rows"][1][1] == {"text": ""}
    assert found["numeric"] == [0]
    assert texts(shown(tmp_path, b"[1, true, null]", Form.JSON)) == [["1"], ["true"], [""]]


@pytest.mark.parametrize(
    ("value", "count"), [({"a": {"b": [1, {"c": None}]}}, 1), ([[1, 2], [3]], 2), ([], 0), ([{"a": 1}, 2], 2)]
)
def test_other_json_is_a_tree(tmp_path: Path, value: Any, count: int) -> None:
    found = shown(tmp_path, json.dumps(value).encode(), Form.JSON)
    assert (found["kind"], found["tree"]["count"]) == ("tree", count)


def test_a_tree_has_an_end(tmp_path: Path) -> None:
    found = shown(tmp_path, json.dumps({"wide": list(range(10**5))}).encode(), Form.JSON)["tree"]["items"][0][1]
    assert (found["count"], len(found["items"]) + found["more"]) == (10**5, 10**5)
    assert len(found["items"]) < 1000
    deep = "[" * 200 + "]" * 200
    assert shown(tmp_path, f'{{"deep": {deep}}}'.encode(), Form.JSON)["kind"] == "tree"


def test_records_that_share_no_field_cost_no_more_than_others(tmp_path: Path) -> None:
    # A cell for each record and each name would be a thousand million of them.
    found = shown(tmp_path, json.dumps([{f"k{n}": n} for n in range(30_000)]).encode(), Form.JSON)
    assert (found["total"], found["all_columns"], len(found["columns"])) == (30_000, 30_000, bounds.SHOWN_COLUMNS)
    assert texts(found)[1][:3] == ["", "1", ""]


def test_of_very_many_rows_the_first_are_looked_at(tmp_path: Path) -> None:
    found = shown(tmp_path, b"[" + b",".join([b"{}"] * 150_000) + b',{"a":1}]', Form.JSON)
    assert (found["total"], found["is_whole"]) == (bounds.READ_ROWS, False)


def test_all_trees_of_a_page_together_have_an_end(tmp_path: Path) -> None:
    rows = [{"a": [0] * 500, "b": 1} for _ in range(100)]
    found = shown(tmp_path, json.dumps(rows).encode(), Form.JSON, size=200)
    trees = [row[0]["tree"] for row in found["rows"]]
    assert sum(len(tree["items"]) for tree in trees) == 1000
    assert all(len(tree["items"]) + tree["more"] == tree["count"] == 500 for tree in trees)


def test_a_value_as_deep_as_can_be_read_is_sorted(tmp_path: Path) -> None:
    for depth in range(900, 1100):
        content = b'[{"a":' + b"[" * depth + b"]" * depth + b"}]"
        assert shown(tmp_path, content, Form.JSON, sort=0)["kind"] in ("table", "damaged")


@pytest.mark.parametrize(
    ("content", "form", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0", None, "image"),
        (b"\xff\xd8\xff\xe0", Form.CSV, "image"),
        (b"<svg onload='alert(1)'>", None, "text"),
        (b"<script>", None, "text"),
        (b"prose\nof it", None, "text"),
        (b"\0\1", None, "other"),
        (b"\x1b[2J", None, "other"),
        (b"", None, "other"),
        (b"", Form.CSV, "damaged"),
        (b'{"a":', Form.JSON, "damaged"),
        (b"a\xff\n", Form.CSV, "damaged"),
        (b"a,b\n", Form.CSV, "table"),
        (b"1,2\n3,4\n", Form.BARE_CSV, "table"),
    ],
)
def test_the_kind_of_a_result(tmp_path: Path, content: bytes, form: Form | None, kind: str) -> None:
    assert shown(tmp_path, content, form)["kind"] == kind


def test_a_text_is_shown_to_its_bound(tmp_path: Path) -> None:
    found = shown(tmp_path, "ä".encode() * bounds.SHOWN_TEXT_BYTES, None)
    assert (len(found["text"]), found["is_cut"]) == (bounds.SHOWN_TEXT_BYTES // 2, True)


def test_wide_tables_and_long_cells_are_cut(tmp_path: Path) -> None:
    names = ",".join(f"c{n}" for n in range(300))
    found = shown(tmp_path, f"{names}\n{','.join(['x' * 1000] * 300)}\n".encode())
    assert (len(found["columns"]), found["all_columns"]) == (bounds.SHOWN_COLUMNS, 300)
    assert len(found["rows"][0][0]["text"]) == 301


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([1.0, 1.0], [2]),
        ([0.0, 1.0, 1.0], [1, *[0] * 18, 2]),
        ([-1.7e308, 1.7e308], [1, *[0] * 18, 1]),
        ([5e-324, 0.0], None),
    ],
)
def test_a_histogram_holds_every_value(values: list[float], counts: list[int] | None) -> None:
    found = view.histogram(values)
    assert found is not None
    assert sum(found["counts"]) == len(values)
    assert counts is None or found["counts"] == counts
