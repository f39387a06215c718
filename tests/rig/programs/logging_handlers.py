"""Log through a configured tree of handlers, a queue and a file that is rotated; the file is the result."""

import logging
import logging.config
import logging.handlers
import os
import queue
import sys

logging.config.dictConfig(
    {
        "version": 1,
        "formatters": {"short": {"format": "%(name)s %(levelname)s %(processName)s %(threadName)s %(message)s"}},
        "handlers": {
            "file": {
                "class": "logging.handlers.RotatingFileHandler",
                "filename": os.path.expanduser("~/model.log"),
                "maxBytes": 400,
                "backupCount": 1,
                "formatter": "short",
            }
        },
        "loggers": {"model": {"handlers": ["file"], "level": "DEBUG", "propagate": False}},
    }
)
log = logging.getLogger("model.part")
waiting: queue.Queue = queue.Queue()
listener = logging.handlers.QueueListener(waiting, *logging.getLogger("model").handlers)
listener.start()
quick = logging.getLogger("quick")
quick.addHandler(logging.handlers.QueueHandler(waiting))
quick.setLevel(logging.INFO)
quick.info("by the queue")
listener.stop()
for number in range(9):
    log.debug("line %d of %s", number, type(log).__name__)
logging.captureWarnings(True)
with open(sys.argv[2], "w") as target:
    for name in ("model.log.1", "model.log"):
        with open(os.path.expanduser("~/" + name)) as kept:
            target.write(kept.read())
    target.write(f"{logging.root.handlers} {logging.getLogger().level}")
