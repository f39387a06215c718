"""Decides what may go: nothing that somebody who stays uses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.model import Thing

_KNOWN_BEST = ("service ", "stack ", "job ", "task ")
_TOLD = 3  # users by name; of more, how many


@dataclass(frozen=True)
class User:
    """A user, gone with the thing of its `id`."""

    name: str  # as people know it: `service production/iris`
    id: str
    uses: frozenset[str]


@dataclass(frozen=True)
class Kept:
    """A thing that stays."""

    thing: Thing
    users: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.users) - _TOLD} more" if len(self.users) > _TOLD else ""
        return f"{self.thing}: used by {', '.join(self.users[:_TOLD])}{more}"


def divide(things: Sequence[Thing], users: Sequence[User]) -> tuple[tuple[Thing, ...], tuple[Kept, ...]]:
    """Return what may go, in order, and what stays."""
    going, kept = list(things), list[Kept]()
    while True:
        gone = frozenset[str]().union(*(thing.ids for thing in going))
        staying = [user for user in users if user.id not in gone]
        held = [
            Kept(thing, by)
            for thing in going
            if (by := _in_order({user.name for user in staying if user.uses & thing.ids}))
        ]
        if not held:
            return tuple(going), tuple(kept)
        kept += held
        going = [thing for thing in going if all(each.thing is not thing for each in held)]


def named_in(document: Any) -> frozenset[str]:
    """Return all texts of an answer, so all ids."""
    return frozenset(_texts(document))


def _in_order(names: set[str]) -> tuple[str, ...]:
    def rank(name: str) -> tuple[int, str]:
        return next((n for n, kind in enumerate(_KNOWN_BEST) if name.startswith(kind)), len(_KNOWN_BEST)), name

    return tuple(sorted(names, key=rank))


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
        place, _, last = document.rpartition("/")
        if place and (":" in last or "@" in last):  # REGISTRY/NAME:TAG@DIGEST names the repository
            yield f"{place}/{last.partition('@')[0].partition(':')[0]}"
    elif isinstance(document, dict):
        for value in document.values():
            yield from _texts(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from _texts(value)
