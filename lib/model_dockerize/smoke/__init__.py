"""The smoke test: checks of the container API, at any address."""

from model_dockerize.smoke.ask import JobFailed, ask
from model_dockerize.smoke.check import await_build, check
from model_dockerize.smoke.foreign import check_foreign
from model_dockerize.smoke.inside import answer, is_last, question
from model_dockerize.smoke.mapping import propose_mapping
from model_dockerize.smoke.model import CHECKS, HEALTHY, Check, Expectation, SmokeResult
from model_dockerize.smoke.session import REPEATS

__all__ = [
    "CHECKS",
    "HEALTHY",
    "REPEATS",
    "Check",
    "Expectation",
    "JobFailed",
    "SmokeResult",
    "answer",
    "ask",
    "await_build",
    "check",
    "check_foreign",
    "is_last",
    "propose_mapping",
    "question",
]
