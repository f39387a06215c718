"""A model's program that attacks: what it does is what its input says. It runs in images, under any Python.

plant WORD PLACE...   leaves the word in these places, and processes that hold it
hold WORD PLACE...    the same, and goes on until the file /tmp/enough is there
look                  writes down where it finds the word of somebody else, and whom else it could kill or write to
link PATH             makes a link to PATH its output
murder                kills whomever it may
"""

import base64
import hashlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

#: No text of this program holds the word itself: it is looked for in this program's memory, too.
WORD = re.compile(rb"PLANTED-(?:W)ORD-[0-9]+")
ENOUGH = "/tmp/enough"
#: Processes are looked into elsewhere; the others are the image's, and root's.
SKIPPED = ("/proc", "/sys", "/usr", "/opt")
#: Root's, with the set-user-ID bit, as an init script may leave one in an image.
SET_UID = "/usr/local/bin/root-id"
HOLDER = (
    "import sys, time; open('/dev/null').read(); word = sys.stdin.read(); print('held', flush=True); time.sleep(600)"
)


def plant(word, places, output):
    here = {
        "home": os.environ["HOME"],
        "folder": os.path.dirname(output),
        "tmp": "/tmp",
        "shm": "/dev/shm",
        "var": "/var/tmp",
    }
    for place in places:
        if place in here:
            closed = os.path.join(here[place], "closed", "deep")
            os.makedirs(closed)
            for path in (os.path.join(here[place], "left"), os.path.join(closed, "left")):
                with open(path, "w") as file:
                    file.write(word)
            os.chmod(closed, 0)
        if place == "processes":  # one in a session of its own, one that has lost its parent too
            for code in (HOLDER, "import os\nif os.fork(): os._exit(0)\n" + HOLDER):
                environment = dict(os.environ, HELD=word)
                pipe = subprocess.PIPE
                child = subprocess.Popen(
                    [sys.executable, "-c", code, word], stdin=pipe, stdout=pipe, env=environment, start_new_session=True
                )
                assert child.stdin and child.stdout
                child.stdin.write(word.encode())
                child.stdin.close()
                child.stdout.readline()


def look() -> "list[str]":
    found = []
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in SKIPPED]
        for name in folders if os.getuid() != 0 else []:  # root needs no leave
            try:
                os.chmod(os.path.join(folder, name), 0o700)
            except OSError:
                pass
        found += [path for path in (os.path.join(folder, name) for name in names) if holds(path)]
    for path in guesses():
        found += [path] if holds(path) else []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        place = "/proc/" + pid
        paths = [place + "/environ", place + "/cmdline"]
        for kind in ("/fd", "/cwd", "/root"):
            try:
                paths += [os.path.join(place + kind, name) for name in os.listdir(place + kind)]
            except OSError:
                pass
        found += [path for path in paths if holds(path)]
        found += [place + "/mem"] if memory_holds(place) else []
    return found


def holds(path: str) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            before = b""
            while True:
                chunk = file.read(1 << 20)
                if WORD.search(before + chunk):
                    return True
                if not chunk:
                    return False
                before = chunk[-64:]
    except (OSError, ValueError):
        return False


def memory_holds(place: str) -> bool:
    if int(place.rpartition("/")[2]) == os.getpid() and "serve" in sys.argv:
        return False  # the one process of all customers
    try:
        with open(place + "/maps") as maps, open(place + "/mem", "rb", 0) as memory:
            for line in maps:
                start, end = (int(number, 16) for number in line.split()[0].split("-"))
                if line.split()[1].startswith("rw"):
                    memory.seek(start)
                    if WORD.search(memory.read(end - start)):
                        return True
    except (OSError, ValueError, OverflowError):
        pass
    return False


def guesses() -> "list[str]":
    """Return paths that no listing shows but that can be known: of the volume, and those that command lines name."""
    data = os.environ.get("GAI_VOLUME_PATH", "/var/gai_data")
    paths = [os.path.join(data, name) for name in ("jobs.sqlite3", "jobs.sqlite3-wal", "license.jwt")]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with open("/proc/{}/cmdline".format(pid)) as file:
            for word in file.read().split("\0"):
                folder = os.path.dirname(word)
                try:
                    paths += [word, *(os.path.join(folder, name) for name in os.listdir(folder))]
                except OSError:
                    pass
    return paths


def victims(own: str) -> "list[str]":
    """Return the server's processes that it could signal, memory and files of others to write, rights of root.

    What lies in its `own` folder is no other's.
    """
    found = []
    if subprocess.check_output([SET_UID, "-u"]).strip() == b"0":
        found.append("become root")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        with open("/proc/{}/cmdline".format(pid)) as file:
            command = file.read()
        if "model-server/model-server" in command:
            try:
                os.kill(int(pid), 0)
                found.append("kill " + command)
            except OSError:
                pass
            try:
                open("/proc/{}/environ".format(pid)).close()
                found.append("read the environment of " + command)
            except OSError:
                pass
        try:
            open("/proc/{}/mem".format(pid), "r+b").close()
            found.append("write to the memory of " + command)
        except OSError:
            pass
    for path in guesses():
        if "gai_data" in path and os.path.dirname(path) != own:
            try:
                open(path, "r+b").close()
                found.append("write " + path)
            except OSError:
                pass
    return found


def do(source: str, target: str) -> None:
    with open(source) as file:
        verb, _, rest = file.read().strip().partition(" ")
    words = rest.split()
    result: "dict[str, object]" = {"user": os.getuid(), "home": os.listdir(os.environ["HOME"])}
    if verb in ("plant", "hold"):
        plant(words[0], words[1:], target)
        result["said"] = words[0]
    if verb == "hold":
        open("/tmp/holds", "w").close()
        while not os.path.exists(ENOUGH):
            time.sleep(0.01)
    if verb == "look":
        result["found"] = look()
        result["victims"] = victims(os.path.dirname(target))
    if verb == "murder":
        os.kill(-1, signal.SIGKILL)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    if verb == "link":
        os.symlink(words[0], target)
        return
    with open(target, "w") as file:
        json.dump(result, file)


def serve(port: int) -> None:
    """Do job after job, as a program of the `gravityai` library does; frames are short, and whole."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(1)
        peer = listener.accept()[0]
    stream = peer.makefile("rb")
    head = dict(line.decode().strip().split(": ") for line in list(iter(stream.readline, b"\r\n"))[1:])
    key = hashlib.sha1((head["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    answer = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + base64.b64encode(key) + b"\r\n\r\n"
    peer.sendall(answer)
    while True:
        size = stream.read(2)[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", stream.read(2))
        mask = stream.read(4)
        request = json.loads(bytes(byte ^ mask[at % 4] for at, byte in enumerate(stream.read(size))).decode())
        do(request["inputFile"], request["outputFile"])
        text = json.dumps({"status": "complete", "requestId": request["requestId"]}).encode()
        peer.sendall(bytes([0x81, len(text)]) + text)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[3]))
    else:
        do(sys.argv[1], sys.argv[2])
