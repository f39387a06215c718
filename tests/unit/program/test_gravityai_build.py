"""gravityai-build.json: read as people write it, rendered into the Dockerfile."""

import json
import re
from pathlib import Path

import pytest

from model_dockerize.errors import ProgramError
from model_dockerize.program import render_dockerfile
from model_dockerize.program.types import ModelTest, Schema, SchemaField
from tests.unit.program.folder import SERVER, Heard, fill, look

WILD = """
{
  // how it is built
  'SYSTEMPACKAGES': ["libgomp1", 'ffmpeg',],
  "useGaiLib":true,
\t"Tests": [
    {"RelativeInputPath": "tests/in.csv", "relativeReferencePath": "./tests/out.json"},
    {"RelativeInputPath": "tests\\\\in.csv", "RelativeReferencePath": null,},
  ],
  "Schema": {
    "inputType": "CSV_header",
    "OutputType": 'json',
    "InputSchema": [{"DataType": "Number", "Optional": false, "Path": "age"}, {'path':'name','datatype':'string','OPTIONAL':true},],
    "OutputSchema": [{"DataType": "date", "Path": "when/day"}],
  },
  "GpuKind": "none",
}
"""  # noqa: E501
FILES = {"main.py": "", "tests/in.csv": "age\n1\n", "tests/out.json": "[]"}


def test_a_file_from_the_wild(tmp_path: Path) -> None:
    heard = Heard()
    program = look(fill(tmp_path, {**FILES, "gravityai-build.json": WILD}), heard, system_packages=("ffmpeg", "git"))
    assert program.system_packages == ("ffmpeg", "git", "libgomp1")
    assert program.uses_library
    assert (program.input_types, program.output_types) == (("text/csv; header=present",), ("application/json",))
    assert program.schema == Schema(
        (SchemaField("age", "number", False), SchemaField("name", "string", True)),
        (SchemaField("when/day", "date", False),),
    )
    assert program.tests == (ModelTest("tests/in.csv", "tests/out.json"), ModelTest("tests/in.csv", None))
    assert "gravityai-build.json: nothing is done with gpukind." in heard.infos


@pytest.mark.parametrize(
    "schema",
    [
        {"Input": [{"Path": "a", "DataType": "Number"}], "InputType": "csv", "OutputType": "json"},
        {"Input": {"Type": "csv", "Schema": [{"Path": "a", "DataType": "Number"}]}, "Output": "json"},
    ],
)
def test_other_spellings_of_the_schema(tmp_path: Path, schema: object) -> None:
    program = look(fill(tmp_path, {"main.py": "", "gravityai-build.json": json.dumps({"Schema": schema})}))
    assert (program.input_types, program.output_types) == (("text/csv; header=absent",), ("application/json",))
    assert program.schema == Schema((SchemaField("a", "number", False),), ())


@pytest.mark.parametrize(
    ("samples", "is_known"), [(("input.csv", "input.wat"), True), (("input.1", "input.csv"), False)]
)
def test_the_first_sample_s_type_is_the_schema_s(tmp_path: Path, samples: tuple[str, str], is_known: bool) -> None:
    declared = json.dumps({"Schema": {"InputSchema": [{"Path": "a", "DataType": "Number"}]}})
    samples_there = {f"smoke/{name}": "" for name in samples}
    folder = fill(tmp_path, {"main.py": "", "gravityai-build.json": declared, **samples_there})
    if is_known:
        assert look(folder).schema == Schema((SchemaField("a", "number", False),), ())
    else:
        with pytest.raises(ProgramError, match="Schema has an InputSchema, but no InputType"):
            look(folder)


def test_what_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    wrong = {
        "SystemPackages": [1],
        "UseGaiLib": "maybe",
        "Tests": [{"RelativeInputPath": "tests/none.csv"}, {}],
        "Schema": {"InputType": "xml", "InputSchema": [{"Path": "a", "DataType": "float"}], "OutputSchema": {}},
    }
    with pytest.raises(ProgramError) as caught:
        look(fill(tmp_path, {**FILES, "gravityai-build.json": json.dumps(wrong)}))
    told = "\n".join(caught.value.details)
    for text in (
        "SystemPackages must be a list of texts",
        "UseGaiLib must be true or false",
        "Tests[1].RelativeInputPath 'tests/none.csv' is not in the folder",
        "Tests[2] needs a RelativeInputPath",
        "InputType 'xml' is none of json, csv, csv_header",
        "InputSchema[1], a: DataType must be one of string, number, date, boolean",
    ):
        assert f"gravityai-build.json: {text}" in told


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not JSON, not even leniently"),
        ("[]", "must be one JSON object"),
        ('{"a": &a [1,], "Schema": [*a, *a]}', "not JSON, not even leniently"),
        ("[" * 100_000, "cannot be read"),
        ('{"Schema": {"InputSchema": [{"Path": "a", "DataType": "string"}]}}', "no InputType"),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(ProgramError) as caught:
        look(fill(tmp_path, {"main.py": "", "gravityai-build.json": content}))
    assert any(reason in said for said in (str(caught.value), *caught.value.details))


def test_the_dockerfile_proves_the_model_after_its_manifest(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {**FILES, "gravityai-build.json": WILD}))
    text = render_dockerfile(program, SERVER)
    runs = [json.loads(line) for line in re.findall(r'^RUN (\["/opt/model-server.*\])$', text, re.M)]
    assert [run[1] for run in runs] == ["manifest", "selftest"]
    manifest, tests = (json.loads(run[2]) for run in runs)
    assert manifest["uses_library"] is True
    assert manifest["schema"]["input"][1] == {"Path": "name", "DataType": "string", "Optional": True}
    assert tests == [
        {"input": "tests/in.csv", "expected": "tests/out.json"},
        {"input": "tests/in.csv", "expected": None},
    ]
