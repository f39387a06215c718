"""The inputs about the smoke test."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from model_dockerize.patterns import command_line, server_address
from model_dockerize.settings.input import Input, Kind
from model_dockerize.settings.keys import API_KEY, LICENSE_KEY


@dataclass(frozen=True)
class SmokeSettings:
    """The test that a model must pass."""

    TITLE: ClassVar = "The smoke test"

    smoke_test: Annotated[
        bool | Literal["image", "service"],
        Input(
            "Prove the image before the push and the service after the rollout; image or service: only that "
            "one, e.g. service where the model needs a network or role that only AWS gives it.",
            choices=("image", "service"),
        ),
    ] = True
    smoke_input: Annotated[
        Path | None, Input("Sample data file for the smoke test. smoke/input.* of the folder when empty.")
    ] = None
    smoke_expected: Annotated[
        Path | None, Input("What the model must answer to the sample. smoke/expected.* of the folder when empty.")
    ] = None
    smoke_mapping: Annotated[
        Path | None, Input("Mapping file that is sent with the sample. smoke/mapping.json of the folder when empty.")
    ] = None
    license_key: Annotated[
        str,
        Input(
            "License key that the smoke test applies where the model wants one. Masked in logs, kept in no report.",
            key=LICENSE_KEY,
            private=True,
        ),
    ] = field(default="", repr=False)
    smoke_api_key: Annotated[
        str,
        Input(
            "API key that the smoke test of the service sends, masked in logs. When empty, and api-key is "
            "not, a task that has the key makes the test from inside of the network.",
            key=API_KEY,
            private=True,
            caller_only=True,
        ),
    ] = field(default="", repr=False)
    smoke_timeout: Annotated[
        int, Input("How long the sample's job may take, with loading the model.", kind=Kind.SECONDS)
    ] = 300
    smoke_url: Annotated[
        str,
        Input(
            "Where the deployed model is tested. The address of its load balancer or task when empty; from "
            "inside of its network where that is not reached.",
            rule=server_address,
            caller_only=True,
        ),
    ] = ""

    check: Annotated[
        str,
        Input(
            "Your own test of the service: a command, run without a shell after the smoke test has passed. MODEL_URL "
            "is where the new version answers, behind a load balancer before it has traffic. Any exit code but 0 "
            "rolls back.",
            rule=command_line,
            caller_only=True,
        ),
    ] = ""

    @property
    def of_image(self) -> bool:
        return self.smoke_test in (True, "image")

    @property
    def of_service(self) -> bool:
        return self.smoke_test in (True, "service")

    @property
    def seconds(self) -> int:
        """Allow for the sample's job, and a `check` besides."""
        return 2 * self.smoke_timeout

    @property
    def left_out(self) -> str:
        return f"smoke-test is {str(self.smoke_test).lower()}"
