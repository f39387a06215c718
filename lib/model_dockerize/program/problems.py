"""Collects everything that is wrong with a folder, so that the user hears of it at once."""

from model_dockerize.errors import InputError, ModelDockerizeError, ProgramError


class Problems:
    """Sentences about settings (`wrong_input`) and about the folder (`wrong_folder`)."""

    def __init__(self) -> None:
        self._inputs: list[str] = []
        self._folder: list[str] = []

    def wrong_input(self, text: str) -> None:
        """Note why a setting cannot be meant as it is written."""
        self._inputs.append(text)

    def wrong_folder(self, text: str) -> None:
        """Note why the folder cannot become an image as it is."""
        self._folder.append(text)

    def raise_if_any(self, folder: str) -> None:
        """Raise one error with all of it: ProgramError if the folder has a part in it, else InputError."""
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
