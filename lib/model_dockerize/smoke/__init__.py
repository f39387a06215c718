"""Proves that a model answers: the checks of the container API, against any address."""

from model_dockerize.smoke.check import Check, Expectation, SmokeResult, check
from model_dockerize.smoke.foreign import check_foreign
from model_dockerize.smoke.mapping import propose_mapping

__all__ = ["Check", "Expectation", "SmokeResult", "check", "check_foreign", "propose_mapping"]
