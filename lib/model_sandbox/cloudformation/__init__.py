"""CloudFormation: ministack's stacks and change sets, over resources that are made through this sandbox's own API.

ministack's own handlers write into the services' stores behind everybody's back. Ours call the sandbox with the
credentials of whoever called CloudFormation, or of the stack's role: checks, sockets, policies and journal hold.
"""

from model_sandbox.cloudformation.layer import CloudFormation

__all__ = ["CloudFormation"]
