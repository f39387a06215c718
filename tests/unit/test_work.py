"""The files and inputs of `submit` are told apart, and refused before anything is paid."""

from pathlib import Path
from typing import Any

import pytest

from model_dockerize.aws.batch import JobDefinition, job_definition
from model_dockerize.errors import InputError
from model_dockerize.pipeline import Work, sort_out
from model_dockerize.pipeline.work import check_places

S3 = "s3://data/a.csv"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write files in data/, one of the same name in more/, and a hidden one."""
    for name in ("data/a.csv", "data/b.csv", "data/...csv", "more/a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    (tmp_path / "empty" / ".hidden").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def definition(*mounts: str) -> JobDefinition:
    return JobDefinition("arn", "iris", 3, existed=True, changed=False, mounts=mounts)


def test_of_a_job_definition_its_log_role_and_places_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"logConfiguration": {"options": {"awslogs-group": "/model-dockerize/iris"}}}
    places = {"jobRoleArn": "arn:role", "mountPoints": [{"containerPath": "/data"}, {"sourceVolume": "v"}]}
    shown = {"jobDefinitionArn": "arn", "revision": 3}
    for properties, log_group, role, mounts in (
        ({**options, **places}, "/model-dockerize/iris", "arn:role", ("/data",)),
        ({}, "/aws/batch/job", "", ()),
    ):
        found = {**shown, "containerProperties": properties}
        monkeypatch.setattr(job_definition, "latest_revision", lambda *_, found=found: found)
        nothing: Any = None
        known = job_definition.latest_job_definition(nothing, "iris")
        assert (known.log_group, known.role, known.mounts, known.revision) == (log_group, role, mounts, 3)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("words", "inputs", "output", "wanted", "targets"),
    [
        (["data/a.csv"], [], "", "results", ["results/a.csv"]),
        (["data/a.csv", "data/b.csv"], [], "out/", "out/", ["out/a.csv", "out/b.csv"]),
        (["data/a.csv"], [], "out/{name}.json", "out/{name}.json", ["out/a.json"]),
        (["data/...csv"], [], "out/{name}/x", "out/{name}/x", ["out/...csv/x"]),
        ([S3], [], "", "-", []),
        ([], [S3, "/program/smoke/input.csv"], "s3://out/{name}", "s3://out/{name}", []),
    ],
)
def test_files_and_other_inputs_are_told_apart(
    words: list[str], inputs: list[str], output: str, wanted: str, targets: list[str]
) -> None:
    work = sort_out(words, inputs, output, "")
    assert work.output == wanted
    assert [str(work.target(path)) for path in work.files] == targets
    assert (work.folder is None) is not bool(targets)


@pytest.mark.usefixtures("files")
def test_a_folder_means_the_files_in_it() -> None:
    Path("more/deeper").mkdir()
    for name in ("more/.hidden.csv", "more/deeper/c.csv", "more/B.csv"):
        Path(name).touch()
    work = sort_out(["more", "data/b.csv"], [], "", "")
    assert [str(path) for path in work.files] == ["more/B.csv", "more/a.csv", "data/b.csv"]
    assert work.folders == ("more: 2 files",)


def test_results_of_files_may_stay_in_the_log(files: Path) -> None:
    assert sort_out(["data/a.csv"], [], "-", "").folder is None


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("words", "inputs", "output", "bucket", "says"),
    [
        ([], [], "", "", "nothing to submit"),
        (["data/a.csv"], [S3], "", "", "two submissions"),
        (["none.csv"], [], "", "", "none.csv: No such file"),
        (["empty"], [], "", "", "empty: a folder without files"),
        (["data/a.csv", "more/a.csv"], [], "", "", "results/a.csv: the result of 2 files"),
        (["data/a.csv", "data/b.csv"], [], "out/{name}/x", "", ""),
        (["data/a.csv"], [], "s3://out/", "", "come back to a folder of this computer"),
        (["data/a.csv"], [], "data/b.csv", "", "data/b.csv is no folder"),
        (["data/a.csv"], [], "data", "", "its result would take its place"),
        ([], ["data/a.csv"], "", "", "stands after the folder"),
        ([], [S3, "s3://other/a.csv"], "s3://out/{name}", "", "the output of 2 inputs"),
        ([], [S3], "results/", "", "go to s3://BUCKET/{name}, or to the log"),
        ([], [S3], "", "mine", "only files of this computer"),
        ([], ["/a\nb"], "", "", "a path of one line"),
        ([], [f"s3://data/{'x' * 7000}"], "", "", "longer than a job can be told"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    words: list[str], inputs: list[str], output: str, bucket: str, says: str
) -> None:
    if not says:
        assert sort_out(words, inputs, output, bucket)
        return
    with pytest.raises(InputError) as refused:
        sort_out(words, inputs, output, bucket)
    assert says in "\n".join((str(refused.value), *refused.value.details))
    assert "submit FOLDER data/*.csv" in refused.value.remedy or "two submissions" in says


def test_a_path_in_the_container_where_nothing_can_be_is_refused(files: Path) -> None:
    here = str(files / "data" / "a.csv")
    with pytest.raises(InputError) as refused:
        check_places(Work((), (here,), "/out/a.csv"), definition())
    assert refused.value.details == (
        f"{here}: a file of this computer; no job sees it",
        "--output /out/a.csv: the disk of a job goes with the job",
    )
    check_places(Work((), (here,), f"{files}/out/a.csv"), definition(str(files)))
    check_places(Work((), ("/program/smoke/input.csv",), "s3://out/{name}"), definition())
