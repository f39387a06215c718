"""The inputs about the rollout."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from model_dockerize.patterns import pattern
from model_dockerize.settings.input import Input, Kind

#: The strategies that show the new version on the load balancer's test port before they shift traffic to it.
SHIFTING = ("blue-green", "canary", "linear")


@dataclass(frozen=True)
class Rollout:
    """A rollout, and its place among others."""

    TITLE: ClassVar = "The rollout"

    rollout: Annotated[
        str,
        Input(
            "How a new version takes over. rolling: task by task. Behind a load balancer: blue-green tests it beside "
            "the former one, then moves all traffic; canary moves step-percent first, linear as much in each step. "
            "When empty, blue-green behind a load balancer (rolling on a volume without queue-url), else rolling.",
            choices=("rolling", *SHIFTING),
        ),
    ] = ""
    bake_minutes: Annotated[
        int,
        Input(
            "How long both versions run after the traffic has moved. Until then alarms, or model-dockerize rollback, "
            "move it back at once.",
            least=0,
            most=1440,
        ),
    ] = 5
    step_percent: Annotated[
        int, Input("Share of the traffic that canary moves first, and linear in each step.", most=100)
    ] = 10
    step_minutes: Annotated[int, Input("Minutes between two steps of canary or linear.", least=0, most=1440)] = 5
    skip_bake: Annotated[
        bool,
        Input(
            "End the run when all traffic is at the new version. ECS bakes on by itself, and alarms may still move "
            "the traffic back, which this run does not see."
        ),
    ] = False
    alarms: Annotated[
        tuple[str, ...],
        Input(
            "Names of CloudWatch alarms that roll back a rollout while it is under way or bakes.",
            rule=pattern(r"[^\s,]{1,255}", "the name of an alarm, without spaces"),
            may_end=True,
        ),
    ] = ()
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
