"""The client of AWS."""

from model_dockerize.aws.client.account import Aws, connect
from model_dockerize.aws.client.names import TAG, short_arn
from model_dockerize.aws.client.rehearsal import Rehearsal, is_read, rehearse
from model_dockerize.aws.model import TO_COME

__all__ = [
    "TAG",
    "TO_COME",
    "Aws",
    "Rehearsal",
    "connect",
    "is_read",
    "rehearse",
    "short_arn",
]
