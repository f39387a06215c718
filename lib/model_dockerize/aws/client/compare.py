"""The one rule of equality.

AWS ignores empty values, and the order of structures and sets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from model_dockerize.aws.client.shown import shown

#: Lists whose order means nothing. That of a command does.
_SETS = frozenset(("instanceTypes", "securityGroupIds", "securityGroups", "subnets"))
#: What may be the name of a role or its ARN.
_ROLES = frozenset(("instanceRole", "serviceRole"))


@dataclass(frozen=True)
class Difference:
    """A difference; its text holds no secret."""

    path: str
    found: Any
    wanted: Any

    def __str__(self) -> str:
        return shown(self.path, self.found, self.wanted)


def differences(wanted: Mapping[str, Any], found: Any, whole: Shape | None = None) -> list[Difference]:
    """Return where `found` is not as `wanted`; more is no difference.

    Args:
        whole: the request's shape: compare all of it, except tags.
    """
    if whole is None:
        return list(_differing(wanted, found or {}, "", False))
    left, right = ({**_sayable(whole, each), "tags": None} for each in (wanted, found))
    return list(_differing(left, right, "", True))


def _sayable(shape: Shape | None, value: Any) -> Any:
    # No ARN, no revision, nothing that AWS adds later.
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {k: _sayable(shape.members[k], v) for k, v in value.items() if k in shape.members}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_sayable(shape.member, each) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {k: _sayable(shape.value, v) for k, v in value.items()}
    return value


def _differing(wanted: Any, found: Any, path: str, both: bool) -> Iterator[Difference]:
    # `both`: what only `found` has is a difference, too.
    if isinstance(wanted, Mapping) and isinstance(found, Mapping) and (found or not path):
        for name in dict.fromkeys((*wanted, *(found if both else ()))):
            yield from _differing(wanted.get(name), found.get(name), f"{path}.{name}" if path else name, both)
    elif _is_empty(wanted) or _is_empty(found):
        if _is_empty(wanted) != _is_empty(found):
            yield Difference(path, found, wanted)
    elif isinstance(wanted, list) and isinstance(found, list) and not _is_set(path) and len(wanted) == len(found):
        for at, one, other in _pairs(wanted, found, both):
            yield from _differing(one, other, f"{path}.{at}", both)
    elif not _is_same(path, wanted, found):
        yield Difference(path, found, wanted)


def _pairs(wanted: list[Any], found: list[Any], both: bool) -> Iterator[tuple[int, Any, Any]]:
    # With the place in `wanted`; structures that are in both are left out.
    if not isinstance(wanted[0], Mapping):
        yield from ((at, *pair) for at, pair in enumerate(zip(wanted, found, strict=True)))
        return
    rest, alone = list(found), list[tuple[int, Any]]()
    for at, one in enumerate(wanted):
        twins = (n for n, other in enumerate(rest) if not any(_differing(one, other, "", both)))
        if (twin := next(twins, None)) is None:
            alone.append((at, one))
        else:
            rest.pop(twin)
    yield from ((at, one, other) for (at, one), other in zip(alone, rest, strict=True))


def _is_same(path: str, wanted: Any, found: Any) -> bool:
    if _is_set(path):
        return sorted(wanted) == sorted(found)
    names = (str(wanted), str(found))
    if path.rpartition(".")[2] in _ROLES and any(not name.startswith("arn:") for name in names):
        return names[0].rpartition("/")[2] == names[1].rpartition("/")[2]
    return bool(wanted == found)


def _is_set(path: str) -> bool:
    return path.rpartition(".")[2] in _SETS


def _is_empty(value: Any) -> bool:
    return all(map(_is_empty, value.values())) if isinstance(value, Mapping) else not value
