"""A later `false` wins over an earlier input that needs a `true`."""

from pathlib import Path

import pytest

from model_dockerize.errors import InputError
from model_dockerize.settings import Given, Settings, to_settings

FUNCTION = {"update-function": "f", "job-queue": "q", "function-source": "bucket"}


def layer(where: str, inputs: dict[str, str]) -> dict[str, Given]:
    return {name: Given(text, f"{where} {name}", Path()) for name, text in inputs.items()}


def said(file: dict[str, str], step: dict[str, str]) -> Settings:
    return to_settings([layer("file", file), layer("input", step)])


@pytest.mark.parametrize(
    ("file", "step", "left_out"),
    [
        ({"deploy-service": "true"}, {"push-to-ecr": "false"}, ["deploy-service"]),
        ({"create-job-def": "true"}, {"push-to-ecr": "false"}, ["create-job-def"]),
        (
            {"create-job-def": "true", "deploy-service": "true", "push-to-ecr": "true"},
            {"push-to-ecr": "false"},
            ["create-job-def", "deploy-service"],
        ),
        (FUNCTION, {"push-to-ecr": "false"}, ["update-function", "function-source"]),
        (FUNCTION, {"create-job-def": "false"}, ["update-function", "function-source"]),
        (
            {**FUNCTION, "create-job-def": "true"},
            {"push-to-ecr": "false"},
            ["create-job-def", "update-function", "function-source"],
        ),
        ({}, {"push-to-ecr": "false"}, []),
    ],
)
def test_a_later_false_wins_and_says_so(file: dict[str, str], step: dict[str, str], left_out: list[str]) -> None:
    settings = said(file, step)
    assert [note.split(" is left out")[0] for note in settings.notes] == [f"file {name}: {name}" for name in left_out]
    assert not settings.batch.create_job_def
    assert settings.batch.update_function == settings.batch.function_source == ""
    if "push-to-ecr" in step:
        assert not settings.service.deploy_service


def test_the_note_says_what_is_off() -> None:
    assert said({"deploy-service": "true"}, {"push-to-ecr": "false"}).notes == (
        "file deploy-service: deploy-service is left out, because push-to-ecr is off.",
    )


@pytest.mark.parametrize(
    ("file", "step"),
    [
        ({"push-to-ecr": "false", "deploy-service": "true"}, {}),
        ({}, {"push-to-ecr": "false", "create-job-def": "true"}),
        ({"push-to-ecr": "false"}, {"deploy-service": "true"}),
        ({**FUNCTION, "create-job-def": "false"}, {}),
        ({**FUNCTION, "create-job-def": "false"}, {"push-to-ecr": "false"}),
    ],
)
def test_at_the_same_place_or_the_other_way_round_it_is_a_mistake(file: dict[str, str], step: dict[str, str]) -> None:
    with pytest.raises(InputError):
        said(file, step)


def test_a_job_definition_of_an_image_that_is_there_needs_no_push(tmp_path: Path) -> None:
    batch = tmp_path / "BatchConfig.yml"
    batch.write_text(
        "job_def:\n  job_definition_name: d\n  image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1\n"
        "  command: python x.py\n  memory: 2048\n  vcpus: 1\n"
    )
    settings = said({"create-job-def": "true", "batch-config-file": str(batch)}, {"push-to-ecr": "false"})
    assert settings.batch.create_job_def
    assert settings.notes == ()


@pytest.mark.parametrize(
    "registry",
    [
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
        "111122223333.dkr-ecr.us-gov-west-1.on.aws",
        "arn:aws-cn:ecr:cn-north-1:111122223333:repository",
    ],
)
def test_a_repository_is_named_without_its_registry(registry: str) -> None:
    with pytest.raises(InputError) as caught:
        said({"repository": f"{registry}/models/iris"}, {})
    assert "named without its registry" in caught.value.details[0]
    assert said({"repository": "models/iris"}, {}).registry.repository == "models/iris"


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1"])
def test_regions_of_every_partition_are_known(region: str) -> None:
    assert said({"aws-region": region}, {}).aws.aws_region == region
