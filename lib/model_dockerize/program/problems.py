"""Collects all problems, to report them at once."""

from model_dockerize.errors import InputError, ModelDockerizeError, ProgramError


class Problems:
    def __init__(self) -> None:
        self._inputs: list[str] = []
        self._folder: list[str] = []

    def wrong_input(self, text: str) -> None:
        self._inputs.append(text)

    def wrong_folder(self, text: str) -> None:
        self._folder.append(text)

    def raise_if_any(self, folder: str) -> None:
        """Raise all as one ProgramError, or InputError if only settings are wrong."""
        details = (*self._inputs, *self._folder)
        if not details:
            return
        kind: type[ModelDockerizeError] = ProgramError if self._folder else InputError
        count = "" if len(details) == 1 else f" ({len(details)} problems)"
        raise kind(
            f"{folder} cannot be turned into an image{count}: {details[0]}",
            "Correct what is listed, and run again.",
            details,
        )
