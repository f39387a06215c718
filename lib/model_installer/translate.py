"""Translates pip's options for uv.

Source: https://docs.astral.sh/uv/pip/compatibility/ and https://docs.astral.sh/uv/reference/cli/#uv-pip-install
"""

from typing import Dict, List, Mapping, NamedTuple

#: Of pip's options: uv has the same, and it may be given several times.
_LISTS = {
    "extra-index-url": "--extra-index-url",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
    "constraint": "--constraints",
    "build-constraint": "--build-constraints",
}
#: Names that are separated by commas.
_NAMES = {"no-binary": "--no-binary", "only-binary": "--only-binary"}
FLAGS = {
    "no-index": "--no-index",
    "pre": "--pre",
    "no-deps": "--no-deps",
    "require-hashes": "--require-hashes",
}
_VARIABLES = {
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
    "retries": ("UV_HTTP_RETRIES",),
}
#: They change what pip shows or how it works inside, not what is installed.
_WITHOUT_EFFECT = frozenset(
    "break-system-packages cache-dir compile debug disable-pip-version-check exists-action log no-cache-dir no-color "
    "no-compile no-input no-python-version-warning no-warn-conflicts no-warn-script-location progress-bar quiet "
    "root-user-action use-pep517 user verbose".split()
)
_NO = frozenset(("", "0", "n", "no", "f", "false", "off"))


class Told(NamedTuple):
    """uv's arguments and environment, and options that it lacks."""

    arguments: List[str]
    environment: Dict[str, str]
    lacking: List[str]


def translate(settings: Mapping[str, str], own_index: bool) -> Told:
    """Translate the settings of `pip_settings.read`.

    Args:
        own_index: the requirements name an index, which counts more with pip, less with uv.
    """
    told = Told([], {}, [])
    for option, value in sorted(settings.items()):
        if option in _LISTS:
            for one in value.split():
                told.arguments.extend((_LISTS[option], one))
                if option == "constraint":  # until pip 25.3 they hold for builds, too
                    told.arguments.extend(("--build-constraints", one))
        elif option in _NAMES:
            for one in value.replace(",", " ").split():
                told.arguments.extend((_NAMES[option], one))
        elif option == "index-url":
            told.arguments.extend(() if own_index else ("--default-index", value))
        elif option in FLAGS:
            told.arguments.extend(() if value.lower() in _NO else (FLAGS[option],))
        elif option in _VARIABLES:
            told.environment.update((name, value) for name in _VARIABLES[option])
        elif option not in _WITHOUT_EFFECT and not (option == "keyring-provider" and value in ("auto", "disabled")):
            told.lacking.append(option)
    return told
