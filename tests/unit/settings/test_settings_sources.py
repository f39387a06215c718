"""Each setting comes with its place: an input of the Action, a flag, model-dockerize.yml, the environment."""

from pathlib import Path

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from model_dockerize.errors import InputError
from model_dockerize.settings import INPUTS, Settings, to_settings
from model_dockerize.settings.load import argument, described
from model_dockerize.settings.own_file import from_file
from model_dockerize.settings.sources import from_environment, from_flags, from_inputs


def write(folder: Path, text: str) -> Path:
    path = folder / "model-dockerize.yml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(*layers: object) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        to_settings(layers)  # type: ignore[arg-type]
    return caught.value.details


def test_inputs_keep_their_hyphens_and_unset_ones_are_not_given(tmp_path: Path) -> None:
    given = from_inputs({"INPUT_IMAGE-NAME": "iris", "INPUT_CPU": "", "INPUT_MEMORY": " \n", "HOME": "/x"}, tmp_path)
    assert {name: value.text for name, value in given.items()} == {"image-name": "iris"}


def test_a_misspelt_input_is_a_problem_with_the_nearest_name(tmp_path: Path) -> None:
    # What the runner passes for `image_name:` and, from composite steps, nothing else.
    (problem,) = problems(from_inputs({"INPUT_IMAGE_NAME": "iris"}, tmp_path))
    assert problem == "input image_name: there is no input named 'image_name'. Did you mean image-name?"


def test_the_runner_says_which_commit_and_run_this_is() -> None:
    run = {
        "GITHUB_SHA": "c0ffee",
        "GITHUB_RUN_NUMBER": "7",
        "GITHUB_WORKFLOW_REF": "me/it/.github/workflows/deploy.yml@refs/heads/main",
    }
    found = to_settings([from_environment(run)]).service
    assert (found.commit, found.run_number) == ("c0ffee", 7)
    assert found.workflow == "me/it/.github/workflows/deploy.yml", "a branch's runs stand in one order with main's"
    nothing = to_settings([from_environment({})]).service
    assert (nothing.commit, nothing.run_number, nothing.workflow) == ("", 0, "")


def test_the_runners_own_inputs_are_not_ours(tmp_path: Path) -> None:
    assert from_inputs({"INPUT_ARGS": "--help", "INPUT_ENTRYPOINT": "/bin/sh"}, tmp_path) == {}


def test_relative_paths_start_where_they_were_written(tmp_path: Path) -> None:
    workspace, folder = tmp_path / "workspace", tmp_path / "model"
    folder.mkdir()
    settings = to_settings(
        [
            from_file(write(folder, "pip-config: conf/pip.conf\nca-bundle: ca.pem")),
            from_inputs({"INPUT_CA-BUNDLE": "a"}, workspace),
        ]
    )
    assert settings.program.pip_config == folder / "conf/pip.conf"
    assert settings.program.ca_bundle == workspace / "a"
    assert settings.program.program_path == folder
    flags = to_settings([from_flags({"report": "r.json", "archive": None})])
    assert flags.run.report == Path.cwd() / "r.json"
    assert flags.image.archive is None


def test_program_path_of_the_file_is_relative_to_the_file(tmp_path: Path) -> None:
    settings = to_settings([from_file(write(tmp_path, "program-path: src"))])
    assert settings.program.program_path == tmp_path / "src"


def test_yaml_values_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = write(
        tmp_path, "python-version: 3.10\naws-account-id: 012345678901\nsubnets: [subnet-1, subnet-2]\ncpu: ~\n"
    )
    settings = to_settings([from_file(path)])
    assert settings.program.python_version == "3.10"
    assert settings.aws.aws_account_id == "012345678901"
    assert settings.service.subnets == ("subnet-1", "subnet-2")
    assert settings.service.cpu == 1024


def test_all_problems_of_a_file_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "image-name: Iris!\nimage-nam: iris\ncpu: many\ncommand: [python, x.py]\n"
        "subnets: {a: b}\ncluster: a\ncluster: b\n",
    )
    found = problems(from_file(path))
    assert [problem.removeprefix(f"{path}, ").split(":")[0] for problem in found] == [
        "line 2",
        "line 4",
        "line 1",
        "line 7",
        "line 3",
        "line 5",
    ]
    assert "Did you mean image-name?" in found[0]
    assert found[1] == f"{path}, line 4: command: the value must be one plain value"
    assert found[3] == f"{path}, line 7: cluster: it stands in the file twice, first at line 6"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not valid YAML at line 1"),
        ("- a\n- b", "must be a list of `name: value` lines"),
        ("a: \x00", "is not valid YAML"),
        ("[" * 1000, "is not valid YAML: .*RecursionError"),
    ],
)
def test_what_is_no_settings_file_is_one_clear_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_file(write(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "model-dockerize.yml"
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(InputError, match="UTF-8"):
        from_file(path)
    with pytest.raises(InputError, match="cannot be read"):
        from_file(tmp_path / "absent.yml")


def test_an_empty_file_means_the_folder(tmp_path: Path) -> None:
    assert to_settings([from_file(write(tmp_path, "# nothing yet\n"))]).program.program_path == tmp_path


def test_the_argument_of_a_command_is_a_folder_or_a_file(tmp_path: Path) -> None:
    assert to_settings([described(argument(tmp_path))]).program.program_path == tmp_path
    path = write(tmp_path, "image-name: iris")
    assert to_settings([described(argument(tmp_path))]) == to_settings([described(argument(path))])
    assert to_settings([described(argument(tmp_path))]).image.image_name == "iris"


def test_the_environments_certificates_count_when_they_are_there(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    assert from_environment({"SSL_CERT_FILE": str(bundle)}) == {}
    bundle.touch()
    assert to_settings([from_environment({"SSL_CERT_FILE": str(bundle)})]).program.ca_bundle == bundle


@hypothesis_given(st.text())
def test_any_file_gives_settings_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "model-dockerize.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        assert isinstance(to_settings([from_file(path)]), Settings)
    except InputError as error:
        assert str(error)


@hypothesis_given(st.dictionaries(st.sampled_from([option.name for option in INPUTS]), st.text(st.characters())))
def test_any_inputs_give_settings_or_an_input_error(inputs: dict[str, str]) -> None:
    environment = {f"INPUT_{name.upper()}": text for name, text in inputs.items()}
    try:
        assert isinstance(to_settings([from_inputs(environment, Path("/github/workspace"))]), Settings)
    except InputError as error:
        assert error.details
