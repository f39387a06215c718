"""Random number generators of imports: each job needs a new seed."""

import gc
import sys
from typing import Any, Iterator, List, Optional

#: A seed of the system's has 128 bits; one that somebody chose is smaller.
CHOSEN_BELOW = 2**64


class Generators:
    """The generators that exist when it is made."""

    def __init__(self) -> None:
        self._random = sys.modules.get("random")
        self._numpy = sys.modules.get("numpy.random")
        self._torch = sys.modules.get("torch")
        #: Of numpy, seeded by the system; one with a chosen seed is the same in every process.
        self._seeded_by_system = [found for found in self._all("numpy", "BitGenerator") if is_seeded_by_system(found)]

    def hazard(self) -> Optional[str]:
        """Describe a generator whose seed cannot be told."""
        system = getattr(self._random, "SystemRandom", ())
        known = [getattr(self._random, "_inst", None), *of_tempfile()]
        for found in self._all("random", "Random"):
            if not isinstance(found, system) and not any(found is other for other in known):
                return "an import makes a generator of random numbers ({})".format(type(found).__name__)
        if self._numpy is not None and not hasattr(self._numpy, "BitGenerator"):  # numpy before 1.17
            for found in self._all("numpy", "RandomState"):
                if found is not self._numpy.mtrand._rand:
                    return "an import makes a generator of random numbers (numpy.random.RandomState)"
        return None

    def reseed(self) -> None:
        if self._random is not None:
            self._random.seed()
        for found in self._seeded_by_system:
            found.state = type(found)().state
        if self._numpy is not None and not hasattr(self._numpy, "BitGenerator"):
            self._numpy.seed()
        if self._torch is not None:
            self._torch.seed()

    def _all(self, library: str, name: str) -> List[Any]:
        kind = getattr(self._random if library == "random" else self._numpy, name, None)
        return list(instances(kind)) if isinstance(kind, type) else []


def instances(kind: type) -> Iterator[Any]:
    return (found for found in gc.get_objects() if issubclass(type(found), kind))


def of_tempfile() -> Iterator[Any]:
    """Yield the generators of temporary names, new in every process."""
    kind = getattr(sys.modules.get("tempfile"), "_RandomNameSequence", None)
    return (getattr(found, "_rng", None) for found in instances(kind)) if isinstance(kind, type) else iter(())


def is_seeded_by_system(generator: Any) -> bool:
    # The attribute has no underscore since numpy 1.25.
    entropy = getattr(getattr(generator, "seed_seq", None) or getattr(generator, "_seed_seq", None), "entropy", None)
    return isinstance(entropy, int) and entropy >= CHOSEN_BELOW
