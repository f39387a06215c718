"""Names models' stacks and log groups; no two models share one."""

import hashlib
import re
from dataclasses import dataclass

#: The stack that all models of a region share, and its cluster.
SHARED = "model-dockerize"
_LONGEST = 80  # of the 128 characters that a stack's name may have: a plan adds some
_VOLUME = "volume-"


def model_stack(cluster: str, name: str) -> str:
    place = name if cluster == SHARED else f"{cluster}-{name}"
    plain = cluster == SHARED and not name.startswith(_VOLUME)
    return f"{SHARED}-{_legal(place, plain, f'{cluster}/{name}')}"


def volume_stack(name: str) -> str:
    return f"{SHARED}-{_VOLUME}{_legal(name, True, name)}"


def log_group(cluster: str, name: str) -> str:
    return f"/{SHARED}/{name}" if cluster == SHARED else f"/{SHARED}/{cluster}/{name}"


@dataclass(frozen=True)
class Names:
    """The names of a model's things; empty: none."""

    model: str
    repository: str
    job_definition: str
    service: str
    task_definition: str
    cluster: str
    function: str = ""  # that sends its jobs; empty: there is none
    volume: str = ""  # of ours, by name; empty: none, or somebody else's

    @classmethod
    def of_jobs(cls, definition: str, cluster: str, function: str = "") -> "Names":
        """Return those of a job definition without program folder."""
        return cls(definition, "", definition, "", "", cluster, function)

    @property
    def stack(self) -> str:
        return model_stack(self.cluster, self.service or self.job_definition)

    @property
    def job_stack(self) -> str:
        """Return a BatchConfig.yml's stack, often the same."""
        return model_stack(self.cluster, self.job_definition)

    @property
    def log_groups(self) -> frozenset[str]:
        return frozenset(log_group(self.cluster, name) for name in (self.service, self.job_definition) if name)


def _legal(text: str, plain: bool, meant: str) -> str:
    # A changed text is marked where another could become the same.
    legal = re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-")
    if plain and legal == text and len(legal) <= _LONGEST:
        return legal
    return f"{legal[: _LONGEST - 9].rstrip('-')}-{hashlib.sha256(meant.encode()).hexdigest()[:8]}"
