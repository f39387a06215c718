"""Serve, ask and run a child in one event loop."""

import asyncio
import sys


async def answer(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()


async def main() -> str:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"asked\n")
    said = await reader.read()
    writer.close()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(6 * 7)", stdout=asyncio.subprocess.PIPE)
    printed, _ = await child.communicate()
    server.close()
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.05)
    except TimeoutError:
        said += b"in time"
    return f"{said!r} {printed!r} {child.returncode}"


with open(sys.argv[2], "w") as target:
    target.write(asyncio.run(main()))
