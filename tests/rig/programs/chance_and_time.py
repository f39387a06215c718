# /// script
# dependencies = ["numpy"]
# ///
"""Draw from every usual generator and clock: no two jobs may agree in any of it."""

import os
import random
import secrets
import sys
import tempfile
import time
import uuid

import numpy

drawn = (
    random.random(),
    random.Random().random(),
    random.SystemRandom().random(),
    numpy.random.random(),
    numpy.random.default_rng().random(),
    numpy.random.RandomState().rand(),
    secrets.token_hex(4),
    os.urandom(4),
    uuid.uuid4(),
    uuid.uuid1(),
    tempfile.mktemp(),
    time.time_ns(),
)
with open(sys.argv[2], "w") as target:
    target.write(repr(drawn))
