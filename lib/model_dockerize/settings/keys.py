"""Keys among the inputs, given directly or as a file.

No message quotes one: half a secret is a secret.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from model_dockerize.inside import open_regular
from model_dockerize.settings.given import Given

_LARGEST_FILE = 128 * 1024  # bytes; what the server takes


@dataclass(frozen=True)
class KeyForm:
    """A kind of key: form, name and origin."""

    regex: re.Pattern[str]
    noun: str
    maker: str

    def read(self, text: str, given: Given) -> str:
        """Return `text`, or the key in the file of this name.

        Args:
            given: decides which files it may name.
        """
        if not text or (self.regex.fullmatch(text) and not _names_a_file(text, given)):
            return text
        try:
            path = given.path(text)
            with open_regular(path) as file:
                content = file.read(_LARGEST_FILE).decode("ascii", "replace").strip()
        except (OSError, ValueError) as error:
            raise ValueError(f"this is neither {self.noun} nor a file that can be read; {self.maker}") from error
        if self.regex.fullmatch(content):
            return content
        if "PRIVATE KEY" in content:
            raise ValueError(f"{path} holds a private key, which stays with its publisher; here goes {self.noun}")
        raise ValueError(f"{path} is not {self.noun}; {self.maker}")


# What `model-dockerize license` writes: 32 bytes in base64url without padding, and a JSON Web Token.
PUBLIC_KEY = KeyForm(re.compile(r"[A-Za-z0-9_-]{43}"), "a public key", "`model-dockerize license new-key` prints one")
LICENSE_KEY = KeyForm(
    re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"),
    "a license key",
    "ask its publisher for a new one",
)
API_KEY = KeyForm(re.compile(r"[!-~]{16,256}"), "an API key", "one has 16 to 256 printable ASCII characters")


def _names_a_file(text: str, given: Given) -> bool:
    """Tell whether a file has this name: an API key looks like anything."""
    try:
        return os.path.lexists(given.base / Path(text).expanduser())
    except (OSError, RuntimeError, ValueError):
        return False
