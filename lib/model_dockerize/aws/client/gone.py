"""What is to be removed and is gone already, by a call whose answer was lost, by a former try or by somebody else."""

import re
from collections.abc import Callable

from botocore.exceptions import ClientError

from model_dockerize.aws.client.errors import code_of, message_of

#: The errors by which the services say so, as their models and EC2's list of codes name them: ...NotFound of EC2, EFS
#: and ELB, ...NotFoundException of ECS, ECR, Lambda, CloudWatch Logs and Application Auto Scaling, IAM's, and EC2's for
#: an internet gateway that was taken off its VPC.
_GONE = re.compile(r"\w*\.?NotFound(Exception)?|NoSuchEntity|Gateway\.NotAttached")
#: Batch, and ECS of task definitions, have one code for all that a caller did wrong.
_GONE_BY_WORDS = re.compile(r"does not exist|Unable to describe task definition")
#: More than any removal has steps; each step may lose its answer once.
_TRIES = 10


def gone_is_well(remove: Callable[[], object]) -> None:
    """`remove`, which looks at what is left each time, until it ends or AWS says twice that the same is not there.

    botocore sends a call whose answer was lost again, and the second one finds the work of the first done. What comes
    after it in `remove` is still to be done then.

    Raises:
        ClientError: every other refusal.
    """
    said: tuple[str, str] | None = None
    for _ in range(_TRIES):
        try:
            remove()
        except ClientError as error:
            if not says_gone(error):
                raise
            now = (error.operation_name, message_of(error))
            if now == said:
                return
            said = now
        else:
            return


def says_gone(error: ClientError) -> bool:
    """Whether AWS refused the call because what it names is not there."""
    if code_of(error) == "ClientException":
        return _GONE_BY_WORDS.search(message_of(error)) is not None
    return _GONE.fullmatch(code_of(error)) is not None
