"""Pushes an image to Amazon ECR and verifies that the registry holds it."""

from collections.abc import Mapping
from pathlib import Path

from model_dockerize import aws, image
from model_dockerize.library import session, sign_in


def push_image(
    image_name: str,
    repository: str,
    version: str,
    *,
    aws_config_file: str | Path | None = None,
    aws_region: str = "",
    aws_account_id: str = "",
    environment: Mapping[str, str] | None = None,
) -> aws.PushedImage:
    """Push an image of the local engine, and read back that the registry holds it.

    Args:
        image_name: NAME:VERSION, as the engine has it.
        repository: in ECR, made if it is missing.
        version: tag in ECR; may differ from VERSION.
        aws_config_file: AwsConfig.ini. Without one: credentials and region as for every AWS tool.
        aws_account_id: the account that the credentials must belong to; any when empty.
        environment: instead of the process's own.

    Raises:
        InputError: an argument or AwsConfig.ini is wrong.
        EngineError: Docker Engine does not answer, or has no such image.
        AwsAccessError: no credentials, refused ones, or those of another account.
        PushError: the registry did not take the image, or holds another one.
    """
    inputs = {
        "repository": repository,
        "version": version,
        "aws-config-file": aws_config_file,
        "aws-region": aws_region,
        "aws-account-id": aws_account_id,
    }
    run = session("docker_service", inputs, environment)
    engine = image.probe(run.environment)
    local = image.inspect(engine, image_name)
    account = sign_in(run)
    # Under the build's own tag it is found again by `model-dockerize`, and kept when the version moves on.
    tags = (version, *((aws.build_tag(local.build_id),) if local.build_id else ()))
    with run.recorder.stage("push") as stage:
        there = aws.ensure_repository(account, repository, stage)

        def login() -> image.RegistryAuth:
            fresh = aws.login(account)
            return image.RegistryAuth(fresh.username, fresh.password, fresh.registry, fresh.expires_at)

        digest = image.push(engine, local.ref, f"{there.uri}:{tags[-1]}", login, stage)
        aws.tag_image(account, repository, digest, tags)
        return aws.verify(account, repository, digest, tags)
