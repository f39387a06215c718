"""GitHub's facts about the current run: its tag or commit, and whether a fork asked for it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from model_dockerize.settings import Given, Source

_COMMIT_DIGITS = 12
_LONGEST_TAG = 128  # of Docker's grammar for tags


def from_run(environment: Mapping[str, str], workspace: Path) -> dict[str, Given]:
    """Return the image's version if nobody gave one: the git tag that started the run, else the commit.

    Of a tag such as `iris/v1.2` only what stands after the last slash counts: the part before it names the model. What
    Docker does not allow in a tag becomes a hyphen, so `v1.2+gpu` is `v1.2-gpu`. A commit is its first 12 digits.
    """
    if environment.get("GITHUB_REF_TYPE") == "tag":
        tag = re.sub(r"[^A-Za-z0-9._-]", "-", environment.get("GITHUB_REF_NAME", "").rsplit("/", 1)[-1])
        version = tag.lstrip(".-")[:_LONGEST_TAG]
    else:
        version = environment.get("GITHUB_SHA", "")[:_COMMIT_DIGITS]
    return (
        {"image-version": Given(version, "the tag or commit of this run", workspace, Source.ENVIRONMENT)}
        if version
        else {}
    )


def fork(environment: Mapping[str, str]) -> str:
    """Return the repository that a pull request comes from if that is a fork ("somebody/iris"); else empty."""
    try:
        event = json.loads(Path(environment.get("GITHUB_EVENT_PATH", "")).read_text(encoding="utf-8"))
        head, base = (event["pull_request"][side]["repo"] for side in ("head", "base"))
        # A fork that was deleted meanwhile is no longer named.
        source = head["full_name"] if head else "a deleted fork"
        return "" if source == base["full_name"] else str(source)
    except (OSError, ValueError, KeyError, TypeError):
        return ""
