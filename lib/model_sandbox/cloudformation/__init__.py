"""CloudFormation: ministack's stacks, made through this sandbox's API.

ministack's handlers write straight into stores. Ours call as CloudFormation's caller, or by the stack's role: checks,
sockets, policies and journal hold.
"""

from model_sandbox.cloudformation.layer import CloudFormation

__all__ = ["CloudFormation"]
