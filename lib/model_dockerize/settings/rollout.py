"""The inputs about the rollout, and its place among others."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from model_dockerize.settings.input import Input, Kind


@dataclass(frozen=True)
class Rollout:
    """Hold how a rollout is followed, and its place among others."""

    TITLE: ClassVar = "The rollout"

    wait: Annotated[
        bool,
        Input(
            "Follow the rollout to its end and prove it. false: start it and end, with the outcome started, "
            "which proves nothing."
        ),
    ] = True
    wait_timeout: Annotated[
        int, Input("How long a rollout may take before it counts as timed out.", kind=Kind.SECONDS)
    ] = 900
    on_cancel: Annotated[
        str,
        Input(
            "What a cancelled run (Ctrl-C, SIGTERM) does with a rollout under way: leave it to ECS, or "
            "rollback. With rollback, submit ends its jobs.",
            choices=("leave", "rollback"),
        ),
    ] = "leave"
    commit: Annotated[
        str,
        Input("Commit that is deployed, kept as a tag of the service. GITHUB_SHA when empty.", variable="GITHUB_SHA"),
    ] = ""
    run_number: Annotated[
        int,
        Input(
            "Place of this run among those of its workflow: an older run never overwrites a newer one. 0 "
            "means no order. GITHUB_RUN_NUMBER when not given.",
            least=0,
            variable="GITHUB_RUN_NUMBER",
        ),
    ] = 0
    workflow: Annotated[
        str,
        Input(
            "Whose run-number it is: only runs of the same workflow are ordered. GITHUB_WORKFLOW_REF, without "
            "the branch, when empty.",
            variable="GITHUB_WORKFLOW_REF",
        ),
    ] = ""
