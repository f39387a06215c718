"""A build is read line by line, and a signal is heard while it prints nothing."""

import os
import signal
import threading
import time

import pytest

from model_dockerize.image.build import _lines


def test_lines_are_whole_whatever_the_pieces_they_come_in() -> None:
    source, target = os.pipe()

    def write() -> None:
        for piece in (b"one\ntw", b"o\n\nK\xc3", b"\xb6ln \xff", b"\nrest"):
            os.write(target, piece)
            time.sleep(0.01)
        os.close(target)

    threading.Thread(target=write).start()
    with os.fdopen(source, "rb") as pipe:
        assert list(_lines(pipe)) == ["one\n", "two\n", "\n", "Köln \ufffd\n", "rest"]


def test_a_signal_that_interrupts_no_read_is_heard_within_seconds() -> None:
    class HeardError(Exception):
        pass

    def hear(*_: object) -> None:
        raise HeardError

    source, target = os.pipe()

    def send() -> None:
        # This thread takes the signal, so that no call of the main thread is interrupted: as if it came just before.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    old = signal.signal(signal.SIGUSR1, hear)
    end_of_patience = threading.Timer(20, os.close, [target])
    end_of_patience.start()
    threading.Thread(target=send).start()
    try:
        started = time.monotonic()
        with os.fdopen(source, "rb") as pipe, pytest.raises(HeardError):
            list(_lines(pipe))
        assert time.monotonic() - started < 15
    finally:
        signal.signal(signal.SIGUSR1, old)
        end_of_patience.cancel()
