"""Every error a user can meet: what happened, what to do next, and the exit code of its kind.

The numbers are part of the interface (docs/exit-codes.md lists them); a kind never changes its number.
"""


class ModelDockerizeError(Exception):
    """Base of all expected failures. `str(error)` is what happened; `remedy` is the next thing to do."""

    exit_code = 1
    kind = "internal"

    def __init__(self, message: str, remedy: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.remedy = remedy
        #: Evidence in the order to be read, e.g. the last lines of a log. May be empty.
        self.details = details


class InputError(ModelDockerizeError):
    """Inputs, flags or configuration files are wrong. `details` names every problem, not only the first."""

    exit_code = 2
    kind = "input"


class ProgramError(ModelDockerizeError):
    """The program folder cannot be turned into an image (missing, empty, no entry point, ...)."""

    exit_code = 3
    kind = "program"


class EngineError(ModelDockerizeError):
    """Docker Engine or buildx is missing, not permitted, or too old."""

    exit_code = 4
    kind = "engine"


class BuildError(ModelDockerizeError):
    """The image did not build. `details` holds the failing step's last lines."""

    exit_code = 5
    kind = "build"


class SmokeError(ModelDockerizeError):
    """The built image does not answer as a model must. `details` holds one line a failed check."""

    exit_code = 6
    kind = "smoke"


class PushError(ModelDockerizeError):
    """The registry did not take the image, or holds another one than was pushed."""

    exit_code = 7
    kind = "push"


class AwsAccessError(ModelDockerizeError):
    """No credentials, expired ones, or an action that they do not allow."""

    exit_code = 8
    kind = "aws-access"


class AwsError(ModelDockerizeError):
    """AWS refused or failed a call for another reason than access."""

    exit_code = 9
    kind = "aws"


class BatchError(ModelDockerizeError):
    """The Batch job definition could not be registered."""

    exit_code = 10
    kind = "batch"


class RolloutError(ModelDockerizeError):
    """The service did not take the new task definition. `details`: stopped tasks and their logs."""

    exit_code = 11
    kind = "rollout"


class DeployedSmokeError(ModelDockerizeError):
    """The rollout finished but the deployed model does not answer as it must."""

    exit_code = 12
    kind = "smoke-deployed"


class TimedOutError(ModelDockerizeError):
    """Nobody knows yet: the rollout was neither finished nor failed when the time was up. Never green."""

    exit_code = 13
    kind = "timed-out"


class SupersededError(ModelDockerizeError):
    """A newer run or deployment owns the service. Nobody's failure, but this version is not what runs: never green."""

    exit_code = 14
    kind = "superseded"


class PausedError(ModelDockerizeError):
    """The deployment waits for a person at a lifecycle hook. It goes on or back when somebody says so: never green."""

    exit_code = 15
    kind = "paused"


class SandboxError(ModelDockerizeError):
    """The local AWS could not be installed, started or reached."""

    exit_code = 16
    kind = "sandbox"
