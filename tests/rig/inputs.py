"""Settings as inputs make them: what is said here counts as given."""

from dataclasses import replace
from typing import Any, TypeVar

from model_dockerize.settings import BatchSettings, ServiceSettings

S = TypeVar("S", BatchSettings, ServiceSettings)


def saying(settings: S, **inputs: Any) -> S:
    """Return the settings with these inputs, beside those that they have."""
    return replace(settings, **inputs, given=settings.given | inputs.keys())
