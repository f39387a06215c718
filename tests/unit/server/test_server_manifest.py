"""The manifest: read whole, written whole, and every problem in its sentence."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_server import manifest
from model_server.errors import ManifestError
from model_server.manifest import Example, Limits, Manifest, Proof
from model_server.tabular.schema import Field

LEAST: dict[str, Any] = {
    "name": "m",
    "version": "1",
    "build_id": "b",
    "command": ["run", "{input}", "{output}"],
    "working_directory": "/w",
    "input_types": ["text/csv"],
    "output_types": ["application/json"],
}
FULL: dict[str, Any] = {
    **LEAST,
    "limits": {
        "timeout_seconds": 1,
        "upload_bytes": 2,
        "memory_mib": 3,
        "output_bytes": 4,
        "retention_days": 5,
        "retention_jobs": 6,
        "batch_records": 7,
        "batch_wait_ms": 8,
    },
    "schema": {
        "input": [{"Path": "a", "DataType": "number", "Optional": True}],
        "output": [{"Path": "[*]/z", "DataType": "string", "Optional": False}],
    },
    "uses_library": True,
    "runner_mode": "warm",
    "sample": "s.csv",
    "proof": {"input": "i", "expected": "e", "mapping": "m"},
    "license_public_key": "k",
}


def parsed(**changes: Any) -> Manifest:
    return manifest.parse(json.dumps({**LEAST, **changes}))


def test_what_is_not_said_has_its_default() -> None:
    assert parsed() == Manifest(
        name="m",
        version="1",
        build_id="b",
        command=("run", "{input}", "{output}"),
        working_directory="/w",
        input_types=("text/csv",),
        output_types=("application/json",),
        limits=Limits(
            timeout_seconds=3600,
            upload_bytes=2147483648,
            memory_mib=0,
            output_bytes=0,
            retention_days=0,
            retention_jobs=0,
            batch_records=0,
            batch_wait_ms=10,
        ),
        input_schema=(),
        output_schema=(),
        uses_library=False,
        runner_mode="auto",
        sample="",
        proof=None,
        license_public_key="",
        example=None,
    )


def test_all_that_is_said_is_read_and_written_again(tmp_path: Path) -> None:
    found = manifest.parse(json.dumps(FULL))
    assert (found.limits, found.uses_library, found.runner_mode) == (Limits(1, 2, 3, 4, 5, 6, 7, 8), True, "warm")
    assert (found.sample, found.proof, found.license_public_key) == ("s.csv", Proof("i", "e", "m"), "k")
    path = tmp_path / "model.json"
    manifest.write(found, path)
    assert manifest.read(path) == found
    written = json.loads(path.read_text(encoding="utf-8"))
    assert set(written) == set(FULL)
    assert written == FULL


def test_it_is_written_for_people_and_all_users(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.touch(0o600)
    manifest.write(parsed(name="größer"), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith('{\n  "name": "größer",\n  "version": "1",\n')
    assert text.endswith("\n}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(ManifestError) as caught:
        manifest.write(parsed(), tmp_path)
    assert str(caught.value).startswith(f"cannot write the manifest {tmp_path}: [Errno 21]")


def test_what_cannot_be_read_is_told_with_what_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ManifestError) as caught:
        manifest.read(path)
    assert str(caught.value).startswith(f"cannot read the manifest {path}: 'utf-8' codec can't decode")
    assert str(caught.value).endswith(". The image's build writes it by: model-server manifest '<json>'")


def test_a_build_id_from_outside_counts() -> None:
    text = json.dumps(LEAST)
    assert [manifest.parse(text, given).build_id for given in (None, "other")] == ["b", "other"]
    del (without := dict(LEAST))["build_id"]
    assert manifest.parse(json.dumps(without), "other") == parsed(build_id="other")


TEXT = "must be a text that is not empty"
LIST = "must be a list of texts that is not empty"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"other": 1}, "unknown key 'other'"),
    ({"name": " "}, f"'name' {TEXT}"),
    ({"version": 1}, f"'version' {TEXT}"),
    ({"build_id": "a\x00"}, f"'build_id' {TEXT}"),
    ({"working_directory": ""}, f"'working_directory' {TEXT}; 'working_directory' must be an absolute path"),
    ({"working_directory": "w"}, "'working_directory' must be an absolute path"),
    ({"input_types": []}, f"'input_types' {LIST}"),
    ({"output_types": ["text/csv", ""]}, f"'output_types' {LIST}"),
    ({"input_types": "text/csv"}, f"'input_types' {LIST}"),
    ({"command": "run {input} {output}"}, f"'command' {LIST}"),
    ({"command": ["run", 1]}, f"'command' {LIST}; 'command' has no {{input}}; 'command' has no {{output}}"),
    ({"command": ["{input}"]}, "'command' has no {output}"),
    ({"command": ["{output}"]}, "'command' has no {input}"),
    ({"uses_library": 1}, "'uses_library' must be true or false"),
    ({"sample": 1}, "'sample' must be a text"),
    ({"license_public_key": None}, "'license_public_key' must be a text"),
    ({"runner_mode": "other"}, "'runner_mode' must be one of auto, command, warm, resident, library"),
    ({"proof": "x"}, "'proof' must be an object with 'input', and nothing else but expected, mapping"),
    ({"proof": {}}, "'proof' must be an object with 'input', and nothing else but expected, mapping"),
    ({"proof": {"input": ""}}, "'proof' must be an object with 'input', and nothing else but expected, mapping"),
    (
        {"proof": {"input": "i", "other": ""}},
        "'proof' must be an object with 'input', and nothing else but expected, mapping",
    ),
    ({"proof": {"input": "i", "expected": 1}}, "'proof': 'expected' must be a text"),
    ({"proof": {"input": "i", "mapping": None}}, "'proof': 'mapping' must be a text"),
    ({"limits": []}, "'limits' must be an object"),
    ({"limits": {"other": 1}}, "unknown limit 'other'"),
    ({"limits": {"timeout_seconds": 0}}, "limit 'timeout_seconds' must be a whole number above 0"),
    ({"limits": {"upload_bytes": 1.5}}, "limit 'upload_bytes' must be a whole number above 0"),
    ({"limits": {"batch_wait_ms": True}}, "limit 'batch_wait_ms' must be a whole number above 0"),
    ({"limits": {"memory_mib": -1}}, "limit 'memory_mib' must be a whole number, 0 or more"),
    ({"schema": []}, "'schema' must be an object with 'input' and 'output'"),
    ({"schema": {"other": []}}, "'schema' must be an object with 'input' and 'output'"),
    (
        {"input_types": ["image/png"], "schema": {"input": [{"Path": "a", "DataType": "number"}]}},
        "schema of the input: describes structured data, but input_types begins with image/png",
    ),
    (
        {"output_types": ["image/png", "text/csv"], "schema": {"output": [{"Path": "a", "DataType": "number"}]}},
        "schema of the output: describes structured data, but output_types begins with image/png",
    ),
    (
        {"limits": {"batch_records": 1}, "input_types": ["text/csv", "application/json"]},
        "limit 'batch_records' is for one kind of structured data, CSV or JSON; "
        "'input_types' has text/csv, application/json",
    ),
    (
        {"limits": {"batch_records": 1}, "output_types": ["text/csv", "image/png"]},
        "limit 'batch_records' is for one kind of structured data, CSV or JSON; 'output_types' has text/csv, image/png",
    ),
    (
        {"limits": {"batch_records": 1}, "output_types": ["image/png"]},
        "limit 'batch_records' is for one kind of structured data, CSV or JSON; 'output_types' has image/png",
    ),
]


@pytest.mark.parametrize(("changes", "told"), WRONG)
def test_a_problem_is_told_in_its_sentence(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parsed(**changes)
    assert str(caught.value) == f"the manifest is wrong: {told}"


@pytest.mark.parametrize("key", LEAST)
def test_what_is_missing_is_named(key: str) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.parse(json.dumps({name: value for name, value in LEAST.items() if name != key}))
    assert str(caught.value) == f"the manifest is wrong: {key!r} is missing"


@pytest.mark.parametrize(
    "changes",
    [
        {"limits": {"timeout_seconds": 1, "upload_bytes": 1, "batch_wait_ms": 1, "batch_records": 0}},
        {"limits": {"batch_records": 1}},
        {"limits": {"batch_records": 1}, "input_types": ["text/csv", "text/csv; header=present"]},
        {"input_types": ["image/png", "text/csv"], "schema": {"input": []}},
        {"command": ["run --in={input} --out={output}"]},
        {"proof": None},
        {"schema": {}},
    ],
)
def test_what_is_just_right_is_taken(changes: dict[str, Any]) -> None:
    parsed(**changes)


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.parse("[]")
    assert str(caught.value) == "the manifest must be one JSON object"


def test_a_program_is_run_by_the_path_that_the_build_found(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    assert manifest.with_found(parsed(), path) == parsed()
    (tmp_path / "found.json").write_text('{"run": "/bin/run", "x": "/bin/x"}', encoding="utf-8")
    assert manifest.with_found(parsed(), path).command == ("/bin/run", "{input}", "{output}")
    assert manifest.with_found(parsed(command=["y", "{input}{output}"]), path).command == ("y", "{input}{output}")


@pytest.mark.parametrize(("name", "word"), [("a-b.1.csv", "a-b.1.csv"), ("a b", "data"), (".a", "data"), ("", "data")])
def test_a_sample_whose_name_a_shell_would_split_has_another(name: str, word: str) -> None:
    assert Example(Path("/x"), name, "", ()).word == word


def test_names_of_the_sample_count_where_none_are_declared() -> None:
    shown = replace(parsed(), example=Example(Path("/x"), "x", "", ("a", "b")))
    assert shown.sample_names == ("a", "b")
    declared = manifest.parse(json.dumps(FULL))
    assert isinstance(declared.input_schema[0], Field)
    assert replace(shown, input_schema=declared.input_schema).sample_names == ()
    assert parsed().sample_names == ()
