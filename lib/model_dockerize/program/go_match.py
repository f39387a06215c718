"""Finds patterns that Go's filepath.Match refuses, as moby/patternmatcher does: by matching the name `.`.

Go misses mistakes behind a part that does not match.
"""


def is_refused(pattern: str) -> bool:
    name: str | None = "."
    try:
        while pattern and name is not None:
            star, chunk, pattern = _split(pattern)
            if star and not chunk:
                return False
            name = _rest(star, chunk, pattern, name)
    except _MalformedError:
        return True
    return False


class _MalformedError(Exception):
    pass


def _split(pattern: str) -> tuple[bool, str, str]:
    begun = pattern.lstrip("*")
    star = begun != pattern
    in_class = False
    place = 0
    while place < len(begun) and (in_class or begun[place] != "*"):
        if begun[place] == "\\" and place + 1 < len(begun):
            place += 1
        elif begun[place] == "[":
            in_class = True
        elif begun[place] == "]":
            in_class = False
        place += 1
    return star, begun[:place], begun[place:]


def _rest(star: bool, chunk: str, pattern: str, name: str) -> str | None:
    for begin in range(len(name) + 1 if star else 1):
        rest = _behind(chunk, name[begin:])
        if rest is not None and (not rest or pattern):
            return rest
    return None


def _behind(chunk: str, name: str) -> str | None:
    """Read on to the end for mistakes, also after a mismatch."""
    place = 0
    failed = False
    while place < len(chunk):
        failed = failed or not name
        char = chunk[place]
        place += 1
        if char == "[":
            matches, place = _in_class(chunk, place, name[:1])
        elif char == "?":
            matches = name[:1] != "/"
        else:
            if char == "\\":
                if place == len(chunk):
                    raise _MalformedError
                char = chunk[place]
                place += 1
            matches = char == name[:1]
        failed = failed or not matches
        name = name[1:]
    return None if failed else name


def _in_class(chunk: str, place: int, char: str) -> tuple[bool, int]:
    negated = chunk[place : place + 1] == "^"
    place += negated
    matches, ranges = False, 0
    while not (ranges and chunk[place : place + 1] == "]"):
        low, place = _bound(chunk, place)
        high = low
        if chunk[place] == "-":
            high, place = _bound(chunk, place + 1)
        matches = matches or low <= char <= high
        ranges += 1
    return matches != negated, place + 1


def _bound(chunk: str, place: int) -> tuple[str, int]:
    if chunk[place : place + 1] in ("", "-", "]"):
        raise _MalformedError
    place += chunk[place] == "\\"
    if place + 1 >= len(chunk):
        raise _MalformedError
    return chunk[place], place + 1
