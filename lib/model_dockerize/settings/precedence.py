"""Decides between places that contradict each other: a `false` that is said later wins over what needs a `true`.

So a step of a pull request says `push-to-ecr: false` over a folder's file that says `deploy-service: true`. Said at the
same place, the two are a mistake, which is told elsewhere.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from model_dockerize.settings.given import Given

#: What needs which other input; what falls first stands first.
_NEEDS = (
    ("deploy-service", "push-to-ecr"),
    ("create-job-def", "push-to-ecr"),
    ("update-function", "create-job-def"),
    ("function-source", "update-function"),
    ("function-output", "update-function"),
)


def merged(layers: Iterable[Mapping[str, Given]]) -> tuple[dict[str, Given], dict[str, int]]:
    """Merge the layers, of which later ones win; say of each input in which layer it stood."""
    given: dict[str, Given] = {}
    order: dict[str, int] = {}
    for number, layer in enumerate(layers):
        said = {name: value for name, value in layer.items() if _says_something(value)}
        given |= said
        order |= dict.fromkeys(said, number)
    return given, order


def overruled(parsed: Mapping[str, Any], order: Mapping[str, int], kept: Collection[str]) -> dict[str, str]:
    """Name each input that a later `false` leaves nothing of, and the input that it needs. `kept`: needs none here."""
    false_since = {name: order[name] for name in ("push-to-ecr", "create-job-def") if parsed[name] is False}
    found = {}
    for name, needed in _NEEDS:
        if needed not in false_since:
            continue
        if parsed[name] is None:  # as the one that it needs
            false_since[name] = false_since[needed]
        elif parsed[name] and name not in kept and order[name] < false_since[needed]:
            false_since[name] = false_since[needed]
            found[name] = needed
    return found


def _says_something(value: Given) -> bool:
    return bool(value.text.strip() or value.problem or value.needed_by)
