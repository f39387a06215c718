"""API keys, and the jobs that their clients may see.

Only digests of a key are kept. A session is signed by one: it ends with the key, and any server with the key knows it.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from model_server.errors import StartError

#: MODEL_API_KEY sees every job; MODEL_API_KEY_NAME only those that were sent with it.
VARIABLE = re.compile(r"MODEL_API_KEY(?:_([A-Z0-9][A-Z0-9_]{0,39}))?", re.ASCII)
#: Any variable that may hold one: also one whose name is wrong is none of the program's business.
PREFIX = "MODEL_API_KEY"
SESSION_SECONDS = 8 * 3600
#: Of a link to a result.
LINK_SECONDS = 15 * 60
#: Asked by ECS and load balancers, SageMaker, and Kubernetes; none says more than the others.
PROBES = ("/health", "/ready", "/ping", "/v2/health/live", "/v2/health/ready")
_KEY = re.compile(r"[!-~]{16,256}", re.ASCII)
_SIGNED = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class Holder:
    """A key's holder; `client` None: it sees all jobs."""

    client: str | None
    digest: bytes = field(repr=False)
    signing: bytes = field(repr=False)


@dataclass(frozen=True)
class Access:
    """The keys and hosts that the server accepts."""

    #: None: no key is needed.
    keys: "Keys | None" = None
    #: Host names that the server answers for, in lower case; empty: any.
    hosts: tuple[str, ...] = ()
    #: Paths that are answered without a key and for any host: load balancers have neither.
    open_paths: tuple[str, ...] = PROBES
    #: The list of jobs is shown.
    job_list: bool = True


class Keys:
    """A server's keys, for any thread."""

    def __init__(self, given: Mapping[str, str], model: str, clock: Callable[[], float] = time.time) -> None:
        """Take the environment's keys; StartError quotes none.

        Args:
            given: variable -> keys, separated by white space: an old and a new one while they change.
        """
        self._model = model
        self._clock = clock
        self._holders: list[Holder] = []
        problems = []
        for variable, text in sorted(given.items()):
            name = VARIABLE.fullmatch(variable)
            keys = text.split()
            if name is None:
                problems.append(f"{variable} must be MODEL_API_KEY_NAME, with a name of A-Z, 0-9 and _")
            elif not keys:  # to take it for absent would open the server to everybody
                problems.append(f"{variable} is set and holds no key")
            elif not all(_KEY.fullmatch(key) for key in keys):
                problems.append(f"{variable} holds a key that is not 16 to 256 printable ASCII characters")
            else:
                self._holders += [_holder(name[1] and name[1].lower(), key) for key in keys]
        if len({holder.digest for holder in self._holders}) < len(self._holders):
            problems.append("two of the API keys are the same")
        if problems:
            raise StartError("wrong settings: " + "; ".join(problems))

    def holder_of(self, key: str) -> Holder | None:
        """Return a key's holder, in a time that tells nothing."""
        return _same(_digest(key, b"key"), [(holder.digest, holder) for holder in self._holders])

    def session(self, holder: Holder) -> str:
        return self._signed(holder, SESSION_SECONDS, "")

    def holder_of_session(self, text: str) -> Holder | None:
        """Return a session's holder; None if forged, over, or without its key."""
        return self._signer(text, "")

    def link(self, holder: Holder, job_id: str) -> str:
        """Make a token that opens one result without a key."""
        return self._signed(holder, LINK_SECONDS, job_id)

    def holder_of_link(self, text: str, job_id: str) -> Holder | None:
        return self._signer(text, job_id) if job_id else None

    def _signed(self, holder: Holder, seconds: int, what: str) -> str:
        expires = int(self._clock()) + seconds
        return f"{expires}.{self._signature(holder, expires, what).hex()}"

    def _signer(self, text: str, what: str) -> Holder | None:
        parts = _SIGNED.fullmatch(text)
        if parts is None:
            return None
        expires = int(parts[1])
        known = [(self._signature(holder, expires, what), holder) for holder in self._holders]
        found = _same(bytes.fromhex(parts[2]), known)
        return found if self._clock() < expires else None

    def _signature(self, holder: Holder, expires: int, what: str) -> bytes:
        return hmac.digest(holder.signing, f"{what}\0{expires} {self._model}".encode(), "sha256")


def _holder(client: str | None, key: str) -> Holder:
    return Holder(client, _digest(key, b"key"), _digest(key, b"session"))


def _digest(key: str, purpose: bytes) -> bytes:
    return hmac.digest(hashlib.sha256(key.encode("utf-8", "replace")).digest(), purpose, "sha256")


def _same(shown: bytes, known: list[tuple[bytes, Holder]]) -> Holder | None:
    """Compare with all, even after a match: the time must say nothing."""
    found = None
    for digest, holder in known:
        if hmac.compare_digest(digest, shown):
            found = holder
    return found
