"""Finds a model by its name."""

from dataclasses import dataclass, replace

from model_dockerize import smoke
from model_dockerize.aws import ecr
from model_dockerize.aws.client import Aws
from model_dockerize.aws.existing.own_container import own_container
from model_dockerize.aws.existing.service import current_service
from model_dockerize.errors import InputError
from model_dockerize.pipeline.context import Named, Prepared, Run

_ANY_PLATFORM = "linux/amd64"


@dataclass(frozen=True)
class ByName(Prepared):
    """A model without its folder."""

    is_ours: bool

    @property
    def made_here(self) -> bool:
        return self.is_ours


def look_up(run: Run, account: Aws) -> Prepared:
    """Return the model of `service` or `image-name`."""
    settings = run.settings
    named = settings.service.service or settings.image.image_name
    if not named:
        raise InputError("No model is named.", "Name it: --service NAME, or --image-name NAME; or give its folder.")
    current = current_service(account, settings.service.cluster, named)
    image = ""
    if current and current.definition:
        containers, arn = current.definition["containerDefinitions"], current.service["taskDefinition"]
        image = own_container(containers, arn).get("image", "")
    # A model's repository has the model's name, whatever its service is called.
    model = settings.image.image_name or ecr.repository_of(image) or named
    run.settings = replace(settings, service=replace(settings.service, service=named))
    _, build = ecr.version_and_build(account, image)
    proof = settings.smoke
    expectation = smoke.Expectation(
        build_id=build,
        sample_input=proof.smoke_input,
        sample_expected=proof.smoke_expected,
        sample_mapping=proof.smoke_mapping,
        name=model,
        license_key=proof.license_key,
    )
    return ByName(Named(model, ""), build, _ANY_PLATFORM, expectation, is_ours=bool(build))
