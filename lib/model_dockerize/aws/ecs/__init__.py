"""ECS services and their tasks."""

from model_dockerize.aws.ecs.autoscaling import ensure_scaling
from model_dockerize.aws.ecs.proving import mark_proved, mark_proving
from model_dockerize.aws.ecs.rollout.decide import Action
from model_dockerize.aws.ecs.rollout.evidence import Pause, Verdict
from model_dockerize.aws.ecs.rollout.follow import follow
from model_dockerize.aws.ecs.rollout.rollback import (
    back_from_bake,
    end_pause,
    is_under_way,
    leave_or_put_back,
    rollback,
    settle_failed_first_deployment,
)
from model_dockerize.aws.ecs.service import check_service, ensure_service, put_back
from model_dockerize.aws.ecs.task_definition import ensure_task_definition

__all__ = [
    "Action",
    "Pause",
    "Verdict",
    "back_from_bake",
    "check_service",
    "end_pause",
    "ensure_scaling",
    "ensure_service",
    "ensure_task_definition",
    "follow",
    "is_under_way",
    "leave_or_put_back",
    "mark_proved",
    "mark_proving",
    "put_back",
    "rollback",
    "settle_failed_first_deployment",
]
