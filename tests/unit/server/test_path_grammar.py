"""Paths: each wrong one in whole words, each vector as it is written, and the room that values take."""

from typing import Any

import pytest

from model_server import bounds
from model_server.tabular import paths
from model_server.tabular.paths import MISSING, Keys, Path, PathError, PlaceError, Room, RoomError, Vector

FORMS = "a vector is one of [*] [n] [s+i] [s-e] [s+i-e] [s,c] [s+i,c]"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the path is empty"),
        ("/", "the path is empty"),
        ("//a", "path '//a' has no field name at character 2"),
        ("a/b/", "path 'a/b/' has no field name at character 5"),
        ("ab/[0]", "path 'ab/[0]' has no field name at character 4"),
        ("a[0", "path 'a[0' has a [ that is not closed at character 2"),
        ("ab/c[0]d", "path 'ab/c[0]d' has text behind a ] at character 8"),
        ("x/ab]", "path 'x/ab]' has a ] without a [ at character 5"),
        ("a[]", f"path 'a[]', [] at character 2: {FORMS}"),
        ("a[0][x]", f"path 'a[0][x]', [x] at character 5: {FORMS}"),
        ("a[1+1+1]", f"path 'a[1+1+1]', [1+1+1] at character 2: {FORMS}"),
        ("a[0][7-3]", "path 'a[0][7-3]', [7-3] at character 5: the end is before the start"),
        ("a[0+0]", "path 'a[0+0]', [0+0] at character 2: the step is 0"),
        ("a[0 , 0]", "path 'a[0 , 0]', [0,0] at character 2: the count is 0"),
        ("a[100001]", "path 'a[100001]', [100001] at character 2: a number is larger than 100000"),
        ("a[0-100001]", "path 'a[0-100001]', [0-100001] at character 2: a number is larger than 100000"),
        ("a[1234567]", "path 'a[1234567]', [1234567] at character 2: a number is larger than 100000"),
        ("a[" + "1," * 21 + "]", f"path 'a[{'1,' * 21}]', [{'1,' * 20}] at character 2: {FORMS}"),
        ("a" * 81 + "//", f"path '{'a' * 80}' … has no field name at character 83"),
        ("a" * 78 + "//", f"path '{'a' * 78}//' has no field name at character 80"),
        ("b" * 1001, f"path '{'b' * 80}' … is longer than 1000 characters"),
        ("a[1]" + "[2]" * 31, f"path 'a[1]{'[2]' * 25}[' … has more than 32 levels and vectors"),
        ("a/" * 32 + "a", f"path '{'a/' * 32}a' has more than 32 levels and vectors"),
    ],
)
def test_a_wrong_path_is_told_in_whole_words(text: str, sentence: str) -> None:
    with pytest.raises(PathError) as caught:
        paths.parse(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("/a/b c/ d", ("a", "b c", " d")),
        ("[3]/a", (Vector(3, 1, 1, single=True), "a")),
        ("a[*]", ("a", Vector(0, 1, None))),
        ("a[100000]", ("a", Vector(100_000, 1, 1, single=True))),
        ("a[000001]", ("a", Vector(1, 1, 1, single=True))),
        ("a[2+3]", ("a", Vector(2, 3, None))),
        ("a[2+1]", ("a", Vector(2, 1, None))),
        ("a[2-*]", ("a", Vector(2, 1, None))),
        ("a[2+3-*][ 4 , * ]", ("a", Vector(2, 3, None), Vector(4, 1, None))),
        ("a[2-2]", ("a", Vector(2, 1, 1))),
        ("a[2+3-9]", ("a", Vector(2, 3, 3))),
        ("a[2+3-7]", ("a", Vector(2, 3, 2))),
        ("a[2,1]", ("a", Vector(2, 1, 1))),
        ("a[2+3,4]", ("a", Vector(2, 3, 4))),
    ],
)
def test_a_path_is_its_steps(text: str, steps: tuple[str | Vector, ...]) -> None:
    assert paths.parse(text) == Path(steps)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "path '' has no column name at character 1"),
        ("/", "path '/' has no column name at character 1"),
        ("[0]", "path '[0]' has no column name at character 1"),
        ("/[0]", "path '/[0]' has no column name at character 1"),
        ("ab[0][3-1]", "path 'ab[0][3-1]', [3-1] at character 6: the end is before the start"),
        ("c" * 1001, f"path '{'c' * 80}' … is longer than 1000 characters"),
    ],
)
def test_a_wrong_column_is_told_in_whole_words(text: str, sentence: str) -> None:
    with pytest.raises(PathError) as caught:
        paths.parse_column(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        *(("//", ("/",)), ("a[0]b", ("a[0]b",)), ("[x]", ("[x]",)), ("a]", ("a]",)), ("]", ("]",)), ("[]", ("[]",))),
        *(("a[]", ("a[]",)), ("a[1][*]", ("a", Vector(1, 1, 1, single=True), Vector(0, 1, None)))),
    ],
)
def test_a_column_is_its_steps(text: str, steps: tuple[str | Vector, ...]) -> None:
    assert paths.parse_column(text) == Path(steps)


@pytest.mark.parametrize(
    ("vector", "text", "of_six", "endless"),
    [
        (Vector(3, 1, 1, single=True), "[3]", [3], [3]),
        (Vector(0, 1, None), "[*]", [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5, 6, 7]),
        (Vector(1, 1, None), "[1+1]", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7, 8]),
        (Vector(0, 2, None), "[0+2]", [0, 2, 4], [0, 2, 4, 6, 8, 10, 12, 14]),
        (Vector(0, 1, 3), "[0,3]", [0, 1, 2], [0, 1, 2]),
        (Vector(2, 1, 9), "[2,9]", [2, 3, 4, 5], [2, 3, 4, 5, 6, 7, 8, 9]),
        (Vector(1, 2, 2), "[1+2,2]", [1, 3], [1, 3]),
        (Vector(6, 1, None), "[6+1]", [], [6, 7, 8, 9, 10, 11, 12, 13]),
    ],
)
def test_a_vector_has_a_text_and_indices(vector: Vector, text: str, of_six: list[int], endless: list[int]) -> None:
    assert str(vector) == text
    assert list(vector.indices(6)) == of_six
    assert [index for index, _ in zip(vector.endless(), range(8), strict=False)] == endless


@pytest.mark.parametrize(
    ("steps", "text", "name"),
    [
        (("a", "b", Vector(0, 1, None), "c"), "a/b[*]/c", "a"),
        ((Vector(1, 1, 1, single=True), "c"), "[1]/c", ""),
        (("/",), "/", "/"),
    ],
)
def test_a_path_is_written_without_its_first_slash(steps: tuple[str | Vector, ...], text: str, name: str) -> None:
    assert (str(Path(steps)), Path(steps).name) == (text, name)


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ({"a": None}, "a", None),
        ({"a": {"b": None}}, "a/b", None),
        ({"a": None}, "a/b", MISSING),
        ({"a": [1]}, "a/b", MISSING),
        ({"a": {"0": 1}}, "a[0]", MISSING),
        ([1, 2], "a", MISSING),
        ({"a": [1, 2]}, "a[1]", 2),
        ({"a": [1, 2]}, "a[2]", MISSING),
        ({"a": [[1], [], 3]}, "a[*][0]", [1, None, None]),
        ({"a": [{"b": [1, 2]}, {"b": None}]}, "a[*]/b[*]", [[1, 2], None]),
        ({" A ": 1}, "a", 1),
        ({" A ": 1, "a ": 2}, "a", MISSING),
    ],
)
def test_what_a_path_finds(value: Any, text: str, found: Any) -> None:
    assert paths.select(value, paths.parse(text), Keys(), Room()) == found
    assert repr(MISSING) == "MISSING"


@pytest.mark.parametrize(
    ("root", "text", "value", "sentence"),
    [
        ({"a": 1}, "a", 2, "something was put there already"),
        ({"a": 1}, "a/b", 2, "an object is needed where something else was put"),
        ({"a": {}}, "a[0]", 2, "an array is needed where something else was put"),
        ([], "a", 2, "an object is needed where something else was put"),
        (None, "a[1-2]", 5, "[1,2] needs several values, the source gives one"),
        (None, "a[99999+2]", [1, 2], "an index would be larger than 100000"),
    ],
)
def test_a_value_that_does_not_go_there_is_told_in_whole_words(root: Any, text: str, value: Any, sentence: str) -> None:
    with pytest.raises(PlaceError) as caught:
        paths.place(root, paths.parse(text), value, Room())
    assert (str(caught.value), type(caught.value)) == (sentence, PlaceError)


def test_the_last_index_can_be_had() -> None:
    found = paths.place(None, paths.parse("a[100000]"), 7, Room())
    assert (len(found["a"]), found["a"][-1]) == (100_001, 7)


@pytest.mark.parametrize(
    ("text", "value", "taken"),
    [
        ("a", 1, 2),  # a key and its value
        ("a/b", None, 3),
        ("a[2]", 1, 5),  # a key, three places, a value
        ("a[*]", [1, 2], 5),
        ("a", [1, [2, {"b": 3}]], 7),
        ("a", "x" * 63, 2),
        ("a", "x" * 64, 3),
        ("a", ["x" * 640, {"key": "x" * 128}], 17),
    ],
)
def test_the_room_that_a_value_takes(monkeypatch: pytest.MonkeyPatch, text: str, value: Any, taken: int) -> None:
    monkeypatch.setattr(bounds, "RECORD_VALUES", taken)
    room = Room()
    paths.place(None, paths.parse(text), value, room)
    assert room.left == 0
    monkeypatch.setattr(bounds, "RECORD_VALUES", taken - 1)
    with pytest.raises(RoomError) as caught:
        paths.place(None, paths.parse(text), value, Room())
    assert str(caught.value) == f"the record would have more than {taken - 1} values"


def test_a_key_that_is_there_takes_no_room_again() -> None:
    room = Room()
    before = room.left
    root = paths.place(None, paths.parse("a/b"), 1, room)
    paths.place(root, paths.parse("a/c"), 1, room)
    assert before - room.left == 5


def test_what_vectors_read_takes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "RECORD_VALUES", 6)
    value, path = {"a": [[1, 2], [3, 4]]}, paths.parse("a[*][*]")
    assert paths.select(value, path, Keys(), Room("the mapping reads")) == [[1, 2], [3, 4]]
    monkeypatch.setattr(bounds, "RECORD_VALUES", 5)
    with pytest.raises(RoomError) as caught:
        paths.select(value, path, Keys(), Room("the mapping reads"))
    assert str(caught.value) == "the mapping reads more than 5 values"
