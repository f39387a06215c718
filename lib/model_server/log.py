"""One readable line an event, on standard output. Never a user's file name, never a secret."""

import logging
import sys
import time

logger = logging.getLogger("model_server")


def configure() -> None:
    """Sends our events, and warnings of the libraries, to standard output."""
    formatter = logging.Formatter("%(asctime)sZ %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a bad form is its sender's error, not an event
    logger.setLevel(logging.INFO)
