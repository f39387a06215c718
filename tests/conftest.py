"""How thorough generated tests are: few examples while working and in CI, many on request.

`HYPOTHESIS_PROFILE=thorough ./scripts/test unit` takes minutes instead of seconds.
"""

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
