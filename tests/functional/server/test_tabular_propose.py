"""Mapping files that are proposed for a data set."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.tabular import convert, mapping, propose, schema
from model_server.tabular.convert import Plan
from model_server.tabular.mime import Form


def fields(*paths: str, is_table: bool = True) -> tuple[schema.Field, ...]:
    return schema.parse_fields([{"Path": path, "DataType": "string"} for path in paths], is_table)


def test_names_are_matched_from_the_exact_to_the_close() -> None:
    wanted = ("petal_length", "petal_width", "Site", "sepal width", "colour", "age")
    sources = ["sepal_width", "age_", "petal_width", "PetalLength", "site", "color", "PETAL_LENGTH"]
    found = {entry["destination"]: entry["source"] for entry in propose.propose(sources, wanted, by_position=False)}
    assert found == {
        "petal_width": "petal_width",
        "petal_length": "PETAL_LENGTH",
        "Site": "site",
        "sepal width": "sepal_width",
        "colour": "color",
        "age": "age_",
    }


def test_what_is_not_found_has_a_default_to_fill_in() -> None:
    wanted = ("weight", "name")
    assert propose.propose(["xyz", "name"], wanted, by_position=False) == [
        {"source": "", "destination": "weight", "defaultValue": None},
        {"source": "name", "destination": "name"},
    ]
    assert propose.propose(["1", "2"], ("a", "b", "c"), by_position=True) == [
        {"source": "1", "destination": "a"},
        {"source": "2", "destination": "b"},
        {"source": "", "destination": "c", "defaultValue": None},
    ]
    assert propose.propose(["x"], (), by_position=False) == [{"source": "x", "destination": "x"}]


@pytest.mark.parametrize(
    ("form", "content", "sources"),
    [
        (Form.CSV, b"a,t,t\n1,2,3\n", ["a", "t[0]", "t[1]"]),
        (Form.BARE_CSV, b"1,2,3\n", ["1", "2", "3"]),
        (
            Form.JSON,
            b'[{"a":1,"b":{"c":[1,2],"d":[{"e":[[1]]}],"x/y":1}},{"f":null}]',
            ["a", "b/c", "b/d[*]/e[*]", "f"],
        ),
    ],
)
def test_the_fields_of_a_data_set(tmp_path: Path, form: Form, content: bytes, sources: list[str]) -> None:
    path = tmp_path / "data"
    path.write_bytes(content)
    assert propose.sources_of(path, form) == sources


names = st.text(st.characters(exclude_characters="/[]", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@given(st.lists(names, min_size=1, max_size=6, unique=True), st.lists(names, min_size=1, max_size=6, unique=True))
def test_every_proposal_is_one_that_the_server_reads(sources: list[str], wanted: list[str]) -> None:
    declared = fields(*wanted)
    entries = propose.propose(sources, wanted, by_position=False)
    assert [entry["destination"] for entry in entries] == [str(field.path) for field in declared]
    filled = [entry if entry["source"] else {**entry, "defaultValue": "x"} for entry in entries]
    text = propose.document(filled).decode()
    rules = mapping.parse(text, source_is_table=True, destination_is_table=True, fields=declared)
    assert len({str(rule.source) for rule in rules if rule.source}) == sum(1 for entry in entries if entry["source"])


def test_a_proposal_for_nested_data_moves_it(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_text('[{"Order":{"Items":[{"Price":1},{"Price":2}]}}]')
    declared = fields("order/items[*]/price", is_table=False)
    text = propose.document(
        propose.propose(propose.sources_of(source, Form.JSON), [str(declared[0].path)], by_position=False)
    ).decode()
    rules = mapping.parse(text, source_is_table=False, destination_is_table=False, fields=declared)
    convert.convert_input(source, target, Plan(Form.JSON, Form.JSON, rules, declared), 1000)
    assert json.loads(target.read_text()) == [{"order": {"items": [{"price": "1"}, {"price": "2"}]}}]
