"""CloudFormation: ministack's stacks and change sets, over resources made by this sandbox's API.

ministack's handlers write straight into the services' stores. Ours call the sandbox as CloudFormation's caller, or by
the stack's role: checks, sockets, policies and journal hold.
"""

from model_sandbox.cloudformation.layer import CloudFormation

__all__ = ["CloudFormation"]
