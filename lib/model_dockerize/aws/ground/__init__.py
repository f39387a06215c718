"""Makes what is made once and stays, by CloudFormation: a template a stack. Everything else is called directly."""

from model_dockerize.aws.ground.names import SHARED as SHARED_STACK
from model_dockerize.aws.ground.names import log_group, model_stack, volume_stack
from model_dockerize.aws.ground.stacks import delete_stack, describe_stack, ensure_stack, plan_stack
from model_dockerize.aws.ground.template import MODEL, SHARED, VOLUME, Template, load
from model_dockerize.aws.ground.values import Stack, Wanted

__all__ = [
    "MODEL",
    "SHARED",
    "SHARED_STACK",
    "VOLUME",
    "Stack",
    "Template",
    "Wanted",
    "delete_stack",
    "describe_stack",
    "ensure_stack",
    "load",
    "log_group",
    "model_stack",
    "plan_stack",
    "volume_stack",
]
