"""Servers that other people could have made: `python foreign_server.py vendor|other|silent PORT`. No other library.

- vendor: the container API as its maker's documents and recorded replies describe it, with none of our additions. Its
  model writes the text of its input in capitals. Nothing of it is durable.
- other: a different API, described by a Swagger 2 document below a path of its own.
- silent: answers, and describes nothing.
"""

import email
import email.policy
import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLAIN, JSON, HTML = "text/plain", "application/json; charset=utf-8", "text/html; charset=utf-8"


def operations(*methods):
    return {method: {"responses": {"200": {"description": "Success"}}} for method in methods}


VENDOR_SPEC = {
    "openapi": "3.0.1",
    "info": {"title": "Model", "version": "v1"},
    "paths": {
        "/data/add-job": operations("post"),
        "/data/status/{id}": operations("get"),
        "/data/result/{id}": operations("get"),
        "/data/delete/{id}": operations("delete"),
        "/data/supported-mime-types": operations("get"),
        "/api/license": operations("get", "post"),
    },
}
OTHER_SPEC = {
    "swagger": "2.0",
    "info": {"title": "Other", "version": "7"},
    "basePath": "/v7",
    "paths": {
        "/ping": operations("get"),
        "/predict": operations("post"),
        "/models/{name}": operations("get"),
        "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True, "type": "string"}]}},
    },
}


class Server(ThreadingHTTPServer):
    """One of the servers. `broken`: paths that answer 500."""

    daemon_threads = True

    def __init__(self, kind, address, broken=()):
        self.kind, self.broken, self.jobs, self.asked = kind, broken, {}, []
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(f"{self.command} {self.path}")
        if self.path in self.server.broken:
            self.answer(500, PLAIN, b"out of order")
        else:
            getattr(self, self.server.kind)(self.path.rstrip("/").lower() or "/")

    do_POST = do_DELETE = do_GET  # noqa: N815 - names that http.server calls

    def vendor(self, path):
        folder, _, job = path.rpartition("/")
        if path == "/health":
            self.answer(200, PLAIN, b"Health check is ok")
        elif path in ("/", "/addjob", "/swagger"):
            self.answer(200, HTML, b"<html><title>Model</title></html>")
        elif path == "/swagger/v1/swagger.json":
            self.json(VENDOR_SPEC)
        elif path == "/data/supported-mime-types":
            self.json({"inputTypes": ["text/plain"], "outputTypes": ["text/plain"]})
        elif path == "/api/license":
            self.json({"data": "No License Key found", "isError": False, "errorMessage": None})
        elif path == "/data/add-job" and self.command == "POST":
            job = str(uuid.uuid4())
            self.server.jobs[job] = self.file().upper()
            self.triple(job, "Created")
        elif job in self.server.jobs and folder == "/data/status":
            self.triple(job, "Complete")
        elif job in self.server.jobs and folder == "/data/result":
            self.answer(200, PLAIN, self.server.jobs[job])
        elif job in self.server.jobs and folder == "/data/delete" and self.command == "DELETE":
            del self.server.jobs[job]
            self.triple(job, "Deleted")
        else:
            self.json({"data": None, "isError": True, "errorMessage": "not found"}, 404)

    def other(self, path):
        if path == "/swagger":
            self.answer(200, HTML, b"<script>ui({url: '/docs/api.json'})</script>")
        elif path == "/docs/api.json":
            self.json(OTHER_SPEC)
        elif path == "/v7/ping":
            self.answer(200, PLAIN, b"pong")
        else:
            self.answer(404, PLAIN, b"not here")

    def silent(self, path):
        self.answer(200 if path == "/" else 404, PLAIN, b"hello")

    def file(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        return next(part.get_payload(decode=True) for part in form.iter_parts() if part.get_filename())

    def triple(self, job, status):
        data = {"id": job, "status": status, "errorMessage": None}
        self.json({"data": data, "isError": False, "errorMessage": None})

    def json(self, value, status=200):
        self.answer(status, JSON, json.dumps(value, separators=(",", ":")).encode())

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Server(sys.argv[1], ("", int(sys.argv[2]))).serve_forever()
