"""Makes what is made once and stays, by CloudFormation: a template a stack. Everything else is called directly."""

from model_dockerize.aws.ground.stacks import delete_stack, describe_stack, ensure_stack, plan_stack
from model_dockerize.aws.ground.template import MODEL, SHARED, Template, load
from model_dockerize.aws.ground.values import Stack, Wanted

__all__ = [
    "MODEL",
    "SHARED",
    "Stack",
    "Template",
    "Wanted",
    "delete_stack",
    "describe_stack",
    "ensure_stack",
    "load",
    "plan_stack",
]
