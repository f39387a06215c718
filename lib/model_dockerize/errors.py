"""Errors that users meet, with exit codes that never change (docs/exit-codes.md)."""

from model_dockerize.outcome import Outcome

_NOTED = 20  # details that a traceback shows


class ModelDockerizeError(Exception):
    """An expected failure; `remedy` is what to do next."""

    exit_code = 1
    kind = "internal"
    meaning = "a defect of model-dockerize: please report it"
    outcome = Outcome.FAILED

    def __init__(
        self, message: str, remedy: str = "", details: tuple[str, ...] = (), outcome: Outcome | None = None
    ) -> None:
        super().__init__(message)
        self.remedy = remedy
        #: Evidence in the order to be read, e.g. the last lines of a log. May be empty.
        self.details = details
        self.outcome = outcome or self.outcome
        # Python shows notes below the message, also in a notebook.
        for note in (*details[:_NOTED], *((f"Next: {remedy}",) if remedy else ())):
            self.add_note(note)


class InputError(ModelDockerizeError):
    """Wrong inputs; `details` names all."""

    exit_code = 2
    kind = "input"
    meaning = "flags, inputs or configuration files are wrong; all problems are listed"


class ProgramError(ModelDockerizeError):
    exit_code = 3
    kind = "program"
    meaning = "the program folder cannot become an image"


class EngineError(ModelDockerizeError):
    exit_code = 4
    kind = "engine"
    meaning = "Docker Engine or buildx is missing, not permitted or too old"


class BuildError(ModelDockerizeError):
    """A failed build; `details`: the failing step's last lines."""

    exit_code = 5
    kind = "build"
    meaning = "the image did not build; the failing step's last lines are shown"


class SmokeError(ModelDockerizeError):
    """A failed smoke test; `details`: failed checks."""

    exit_code = 6
    kind = "smoke"
    meaning = "the built image does not answer as a model must; nothing was pushed"


class PushError(ModelDockerizeError):
    exit_code = 7
    kind = "push"
    meaning = "the registry did not take the image"


class AwsAccessError(ModelDockerizeError):
    exit_code = 8
    kind = "aws-access"
    meaning = "no credentials, expired ones, or a missing permission"


class AwsError(ModelDockerizeError):
    exit_code = 9
    kind = "aws"
    meaning = "AWS refused or failed a call for another reason"


class BatchError(ModelDockerizeError):
    exit_code = 10
    kind = "batch"
    meaning = "the Batch job definition could not be registered, or submitted jobs failed"


class RolloutError(ModelDockerizeError):
    """A failed rollout; `details`: stopped tasks and their logs."""

    exit_code = 11
    kind = "rollout"
    meaning = "the service did not take the new version"


class DeployedSmokeError(ModelDockerizeError):
    exit_code = 12
    kind = "smoke-deployed"
    meaning = (
        "the deployed model does not answer as it must; the last lines say what the service runs now. Of `ask`: the "
        "model's program failed, or nothing answered"
    )


class TimedOutError(ModelDockerizeError):
    exit_code = 13
    kind = "timed-out"
    meaning = "the rollout was neither finished nor failed when the time was up"
    outcome = Outcome.TIMED_OUT


class SupersededError(ModelDockerizeError):
    exit_code = 14
    kind = "superseded"
    meaning = "a newer run or deployment owns the service; this version does not run"
    outcome = Outcome.SUPERSEDED


class PausedError(ModelDockerizeError):
    exit_code = 15
    kind = "paused"
    meaning = "the deployment waits for a person at a lifecycle hook"
    outcome = Outcome.PAUSED


class SandboxError(ModelDockerizeError):
    exit_code = 16
    kind = "sandbox"
    meaning = "the local AWS could not be installed, started or reached"
