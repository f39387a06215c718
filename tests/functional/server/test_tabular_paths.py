"""The grammar of paths, and what they select and place."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server import bounds
from model_server.tabular import paths
from model_server.tabular.paths import (
    MISSING,
    Keys,
    Path,
    PathError,
    PlaceError,
    Room,
    RoomError,
    Vector,
    parse,
    parse_column,
)


def select(value: Any, path: Path) -> Any:
    return paths.select(value, path, Keys(), Room())


def place(root: Any, path: Path, value: Any) -> Any:
    return paths.place(root, path, value, Room())


TEN = list(range(10))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a[*]", TEN),
        ("a[4]", 4),
        ("a[0+2]", [0, 2, 4, 6, 8]),
        ("a[7-8]", [7, 8]),
        ("a[3+2-7]", [3, 5, 7]),
        ("a[2+2-7]", [2, 4, 6]),
        ("a[0,3]", [0, 1, 2]),
        ("a[3+2,4]", [3, 5, 7, 9]),
        ("a[3+2,*]", [3, 5, 7, 9]),
        ("a[2+2-*]", [2, 4, 6, 8]),
        ("a[8-*]", [8, 9]),
        ("a[8,*]", [8, 9]),
        ("a[5-5]", [5]),
        ("a[8,5]", [8, 9]),
        ("a[20-30]", []),
        (" /a[ 0 , 3 ]".strip(), [0, 1, 2]),
        ("/a[4]", 4),
        ("a[10]", MISSING),
        ("a/b", MISSING),
        ("b", MISSING),
    ],
)
def test_vectors(text: str, expected: object) -> None:
    assert select({"a": TEN}, parse(text)) == expected


def test_several_dimensions_and_levels() -> None:
    cube = [[[f"{x}{y}{z}" for z in range(3)] for y in range(4)] for x in range(7)]
    assert select({"f": cube}, parse("f[0][3][0]")) == "030"
    assert select({"f": cube}, parse("f[*][2]")) == [cube[x][2] for x in range(7)]
    assert select({"f": cube}, parse("f[2+2,3][2]")) == [cube[x][2] for x in (2, 4, 6)]
    assert select(cube, parse("[0][3][0]")) == "030"
    assert select(cube, parse("/[1][0-1][2]")) == ["102", "112"]
    record = {"field": [0, {"object2field": {"mixedfield": ["a", "b", "c", "d"]}}]}
    assert select(record, parse("field[1]/object2field/mixedfield[0+2]")) == ["a", "c"]
    items = {"items": [{"price": 1}, {}, {"price": 3}]}
    assert select(items, parse("items[*]/price")) == [1, None, 3]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the path is empty"),
        ("/", "the path is empty"),
        ("a//b", "'a//b' has no field name at character 3"),
        ("//a", "no field name at character 2"),
        ("a/", "no field name at character 3"),
        ("a/[0]", "no field name at character 3"),
        ("a[0", "a [ that is not closed at character 2"),
        ("a[0]b", "text behind a ] at character 5"),
        ("a]", "a ] without a [ at character 2"),
        ("a[]", "[] at character 2: a vector is one of"),
        ("a[x]", "[x] at character 2: a vector is one of"),
        ("a[-1]", "a vector is one of"),
        ("a[1+1+1]", "a vector is one of"),
        ("a[0][7-3]", "[7-3] at character 5: the end is before the start"),
        ("a[0+0]", "the step is 0"),
        ("a[0,0]", "the count is 0"),
        ("a[100001]", "a number is larger than 100000"),
        ("a[٣]", "a vector is one of"),
    ],
)
def test_what_is_no_path_is_told_with_its_position(text: str, reason: str) -> None:
    with pytest.raises(PathError) as caught:
        parse(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("/1", ("1",)),
        ("sepal length (cm)", ("sepal length (cm)",)),
        ("price [EUR]", ("price [EUR]",)),
        ("km/h", ("km/h",)),
        ("a[0]", ("a", Vector(0, 1, 1, single=True))),
        ("a[b][1-2]", ("a[b]", Vector(1, 1, 2))),
    ],
)
def test_a_column_may_have_any_name(text: str, steps: tuple[object, ...]) -> None:
    assert parse_column(text).steps == steps


@pytest.mark.parametrize("text", ["", "/", "[0]", "a[3-1]"])
def test_what_is_no_column(text: str) -> None:
    with pytest.raises(PathError):
        parse_column(text)


def test_names_count_in_any_case_unless_that_is_ambiguous() -> None:
    assert select({"Age": 1}, parse("age")) == 1
    assert select({"Age": 1, "age": 2}, parse("age")) == 2
    assert select({"Age": 1, "AGE": 2}, parse("age")) is MISSING


@pytest.mark.parametrize(
    ("placed", "expected"),
    [
        ([("a/b", 1), ("a/c", 2)], {"a": {"b": 1, "c": 2}}),
        ([("a[2]", 1)], {"a": [None, None, 1]}),
        ([("a[1]", 1), ("a[0]", 0)], {"a": [0, 1]}),
        ([("a[*]", [1, 2])], {"a": [1, 2]}),
        ([("a[1+2]", [1, 2])], {"a": [None, 1, None, 2]}),
        ([("a[0,2]", [1, 2, 3])], {"a": [1, 2]}),
        ([("a[*]/x", [1, 2]), ("a[*]/y", [3, 4])], {"a": [{"x": 1, "y": 3}, {"x": 2, "y": 4}]}),
        ([("a[1][0]", 5)], {"a": [None, [5]]}),
        ([("[1]", 5)], [None, 5]),
        ([("a", [1, 2])], {"a": [1, 2]}),
    ],
)
def test_values_are_placed(placed: list[tuple[str, Any]], expected: object) -> None:
    root = None
    for text, value in placed:
        root = place(root, parse(text), value)
    assert root == expected


@pytest.mark.parametrize(
    "placed",
    [
        [("a", 1), ("a/b", 2)],
        [("a/b", 2), ("a", 1)],
        [("a[0]", 1), ("a/b", 2)],
        [("a[*]", 1)],
        [("a[100000+1]", [1, 2])],
        [("a", 1), ("[0]", 2)],
    ],
)
def test_values_that_do_not_go_where_they_shall(placed: list[tuple[str, Any]]) -> None:
    root = None
    with pytest.raises(PlaceError):
        for text, value in placed:
            root = place(root, parse(text), value)


def singles(value: int) -> Vector:
    return Vector(value, 1, 1, single=True)


numbers = st.integers(0, 50)
vectors = st.one_of(
    st.builds(singles, numbers),
    st.builds(Vector, numbers, st.integers(1, 9), st.none() | st.integers(1, 9)),
)
names = st.text(st.characters(exclude_characters="/[]", exclude_categories=["Cs"]), min_size=1, max_size=5)
levels = st.tuples(names, st.lists(vectors, max_size=2)).map(lambda level: [level[0], *level[1]])
grown = st.lists(levels, min_size=1, max_size=3).map(lambda parts: Path(tuple(step for part in parts for step in part)))


@given(grown)
def test_a_path_is_written_as_it_is_read(path: Path) -> None:
    assert parse(f"/{path}") == path


@given(st.lists(st.one_of(names, st.builds(singles, numbers)), min_size=1, max_size=4), st.integers())
def test_what_is_placed_is_selected(steps: list[str | Vector], value: int) -> None:
    path = Path(tuple(steps))
    assert select(place(None, path, value), path) == value


@given(st.text(alphabet="ab/[]0123456789+-*, ", max_size=20) | st.text(max_size=20))
def test_any_text_is_a_path_or_is_told_why_not(text: str) -> None:
    for read in (parse, parse_column):
        try:
            path = read(text)
        except PathError:
            continue
        select({"a": [[1, 2], {"b": 3}]}, path)


@pytest.mark.parametrize("read", [parse, parse_column])
def test_a_path_has_bounds(read: Callable[[str], Path]) -> None:
    read("a" * bounds.PATH_CHARACTERS)
    with pytest.raises(PathError, match="is longer than 1000 characters"):
        read("a" * (bounds.PATH_CHARACTERS + 1))
    read("a" + "[1]" * (bounds.PATH_STEPS - 1))
    with pytest.raises(PathError, match="more than 32 levels and vectors"):
        read("a" + "[1]" * bounds.PATH_STEPS)


def test_what_a_mapping_makes_of_one_record_is_bounded() -> None:
    room, root = Room(), None
    with pytest.raises(PlaceError, match="the record would have more than 500000 values"):
        for number in range(6):
            root = paths.place(root, parse(f"a{number}[100000]"), 1, room)
    text = "x" * (paths._CHARACTERS_A_VALUE * (bounds.RECORD_VALUES // 2))
    room, root = Room(), None
    with pytest.raises(PlaceError, match="values"):
        for number in range(3):
            root = paths.place(root, parse(f"a{number}"), {"deep": [text]}, room)


def test_what_a_mapping_reads_of_one_record_is_bounded() -> None:
    record = {"a": [[0] * 1000] * 1000}
    with pytest.raises(RoomError, match="the mapping reads more than 500000 values"):
        paths.select(record, parse("a[*][*]/x"), Keys(), Room("the mapping reads"))


def test_a_name_that_counts_in_another_spelling_is_found_once_for_all_names() -> None:
    keys = Keys()
    record = {" Amount": 1, "ID": 2, "id": 3, "Site ": 4}
    assert [keys.of(record, name) for name in ("amount", "ID", "Id", "site")] == [" Amount", "ID", None, "Site "]
    del record[" Amount"]
    assert keys.of(record, "amount") is None
