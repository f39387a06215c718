"""GitHub's facts about the run: tag, commit, and fork."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from model_dockerize.settings import Given, Source

_COMMIT_DIGITS = 12
_LONGEST_TAG = 128  # of Docker's grammar for tags


def from_run(environment: Mapping[str, str], workspace: Path) -> dict[str, Given]:
    """Return the default version: the run's git tag, else its commit.

    Of `iris/v1.2` only `v1.2` counts.
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
    """Return the pull request's fork ("somebody/iris"); empty: none."""
    try:
        event = json.loads(Path(environment.get("GITHUB_EVENT_PATH", "")).read_text(encoding="utf-8"))
        head, base = (event["pull_request"][side]["repo"] for side in ("head", "base"))
        # A fork that was deleted meanwhile is no longer named.
        source = head["full_name"] if head else "a deleted fork"
        return "" if source == base["full_name"] else str(source)
    except (OSError, ValueError, KeyError, TypeError):
        return ""
