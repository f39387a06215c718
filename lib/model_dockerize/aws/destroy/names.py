"""What one deployment's things are called. Pure."""

from dataclasses import dataclass

from model_dockerize.aws.ground import names as ground


@dataclass(frozen=True)
class Names:
    """What one model's things are called, of its deployment in one cluster. Empty is what it has none of."""

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
        """Return those of a job definition that no model's folder made: there is no service, and the image is given."""
        return cls(definition, "", definition, "", "", cluster, function)

    @property
    def stack(self) -> str:
        """What its stack is called."""
        return ground.model_stack(self.cluster, self.service or self.job_definition)

    @property
    def job_stack(self) -> str:
        """What the stack of a job definition that a BatchConfig.yml describes is called: often the same."""
        return ground.model_stack(self.cluster, self.job_definition)

    @property
    def log_groups(self) -> frozenset[str]:
        """Where its containers write."""
        return frozenset(ground.log_group(self.cluster, name) for name in (self.service, self.job_definition) if name)
