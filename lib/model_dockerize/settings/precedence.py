"""Merges settings: a later place wins, and its `false` also over inputs that need a `true`.

So a step may say `push-to-ecr: false` although the folder's file says `deploy-service: true`. In one place, the two
contradict each other, which `values` refuses.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from model_dockerize.settings.given import Given
from model_dockerize.settings.model import INPUTS


def merged(layers: Iterable[Mapping[str, Given]]) -> tuple[dict[str, Given], dict[str, int]]:
    """Return the merged layers, and the number of each input's layer."""
    given: dict[str, Given] = {}
    order: dict[str, int] = {}
    for number, layer in enumerate(layers):
        said = {name: value for name, value in layer.items() if _says_something(value)}
        given |= said
        order |= dict.fromkeys(said, number)
    return given, order


def overruled(parsed: Mapping[str, Any], order: Mapping[str, int], kept: Collection[str]) -> dict[str, str]:
    """Map each input switched off by a later `false` to the one it needs, except `kept`."""
    needs = [(each.name, each.requires) for each in INPUTS if each.requires]
    false_since = {needed: order[needed] for _, needed in needs if parsed[needed] is False}
    found = {}
    # An input stands before those that require it.
    for name, needed in needs:
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
