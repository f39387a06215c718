"""Every error a user can meet: what happened, what to do next, and the exit code of its kind.

The numbers are part of the interface; a kind never changes its number. docs/exit-codes.md is made from these classes.
"""

from model_dockerize.outcome import Outcome

_NOTED = 20  # details that a traceback shows


class ModelDockerizeError(Exception):
    """Base of all expected failures. `str(error)` is what happened; `remedy` is the next thing to do."""

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
    """Inputs, flags or configuration files are wrong. `details` names every problem, not only the first."""

    exit_code = 2
    kind = "input"
    meaning = "flags, inputs or configuration files are wrong; all problems are listed"


class ProgramError(ModelDockerizeError):
    """The program folder cannot be turned into an image (missing, empty, no entry point, ...)."""

    exit_code = 3
    kind = "program"
    meaning = "the program folder cannot become an image"


class EngineError(ModelDockerizeError):
    """Docker Engine or buildx is missing, not permitted, or too old."""

    exit_code = 4
    kind = "engine"
    meaning = "Docker Engine or buildx is missing, not permitted or too old"


class BuildError(ModelDockerizeError):
    """The image did not build. `details` holds the failing step's last lines."""

    exit_code = 5
    kind = "build"
    meaning = "the image did not build; the failing step's last lines are shown"


class SmokeError(ModelDockerizeError):
    """The built image does not answer as a model must. `details` holds one line a failed check."""

    exit_code = 6
    kind = "smoke"
    meaning = "the built image does not answer as a model must; nothing was pushed"


class PushError(ModelDockerizeError):
    """The registry did not take the image, or holds another one than was pushed."""

    exit_code = 7
    kind = "push"
    meaning = "the registry did not take the image"


class AwsAccessError(ModelDockerizeError):
    """No credentials, expired ones, or an action that they do not allow."""

    exit_code = 8
    kind = "aws-access"
    meaning = "no credentials, expired ones, or a missing permission"


class AwsError(ModelDockerizeError):
    """AWS refused or failed a call for another reason than access."""

    exit_code = 9
    kind = "aws"
    meaning = "AWS refused or failed a call for another reason"


class BatchError(ModelDockerizeError):
    """The Batch job definition could not be registered, or jobs failed."""

    exit_code = 10
    kind = "batch"
    meaning = "the Batch job definition could not be registered, or submitted jobs failed"


class RolloutError(ModelDockerizeError):
    """The service did not take the new task definition. `details`: stopped tasks and their logs."""

    exit_code = 11
    kind = "rollout"
    meaning = "the service did not take the new version"


class DeployedSmokeError(ModelDockerizeError):
    """The rollout finished but the deployed model does not answer as it must."""

    exit_code = 12
    kind = "smoke-deployed"
    meaning = "the deployed model does not answer as it must; the last lines say what the service runs now"


class TimedOutError(ModelDockerizeError):
    """Nobody knows yet: the rollout was neither finished nor failed when the time was up. Never green."""

    exit_code = 13
    kind = "timed-out"
    meaning = "the rollout was neither finished nor failed when the time was up"
    outcome = Outcome.TIMED_OUT


class SupersededError(ModelDockerizeError):
    """A newer run or deployment owns the service. Nobody's failure, but this version is not what runs: never green."""

    exit_code = 14
    kind = "superseded"
    meaning = "a newer run or deployment owns the service; this version does not run"
    outcome = Outcome.SUPERSEDED


class PausedError(ModelDockerizeError):
    """The deployment waits for a person at a lifecycle hook. It goes on or back when somebody says so: never green."""

    exit_code = 15
    kind = "paused"
    meaning = "the deployment waits for a person at a lifecycle hook"
    outcome = Outcome.PAUSED


class SandboxError(ModelDockerizeError):
    """The local AWS could not be installed, started or reached."""

    exit_code = 16
    kind = "sandbox"
    meaning = "the local AWS could not be installed, started or reached"
