#!/usr/bin/env python3
"""A web server that answers as badly as it is told to.

  bad_server.py [--bind ADDRESS] [--port PORT] [--document FILE] [--mode MODE | --mode-file FILE]
                [--certificate FILE --key FILE [--authority FILE]] [--until-eof]

Prints "listening PORT" once it does. What it answers, in this order: the first part of the path where that is a mode
(GET /500/anything), else what the mode file holds at that moment, else --mode, which is "ok" by default.

  ok             the document, with an ETag; 304 to an If-None-Match that fits it
  not-modified   always 304
  wrong-etag     the document with an ETag that is another one each time; never 304
  no-etag        the document without an ETag
  once           the document to whoever does not have it; 503 to whoever does
  token          the document to `Authorization: Bearer secret-token`, else 401
  500 404        that status, with a body that reads like a small rule set
  html           200, a captive portal's page, text/html
  html-as-json   200, the same page, sent as application/json
  empty          200 with a body of no bytes
  cut-off        half of the body that Content-Length promises
  cut-chunked    a chunked body that ends within a chunk
  slow-loris     one byte a second
  slow-start     not a byte at all
  endless        a body without an end, as fast as it goes
  huge-header    one header line of 10 MB
  many-headers   headers without an end
  redirect       302 to /ok
  garbage        bytes that are no HTTP
  hang-up        closes at once
  gzip-bomb      128 MB of zeros as Content-Encoding: gzip, unasked
"""
import argparse, hashlib, itertools, select, socket, ssl, sys, threading, time, zlib

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"


class Server:
    def __init__(self, options):
        self.options = options
        self.serial = itertools.count(1)

    def document(self):
        if not self.options.document:
            return b'{"schema":1}\n'
        with open(self.options.document, "rb") as file:
            return file.read()

    def mode(self, path):
        first = path.lstrip("/").split("/")[0].split("?")[0]
        if first in MODES:
            return first
        if self.options.mode_file:
            with open(self.options.mode_file) as file:
                return file.read().strip() or "ok"
        return self.options.mode

    def serve(self, connection):
        connection.settimeout(60)
        request = b""
        while b"\r\n\r\n" not in request and len(request) < 65536:
            got = connection.recv(4096)
            if not got:
                return
            request += got
        lines = request.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        path = parts[1] if len(parts) > 1 else "/"
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        mode = self.mode(path)
        print(f"{mode} {lines[0]}", file=sys.stderr, flush=True)
        MODES[mode](self, connection, headers)


def answer(connection, status, body=b"", headers=(), kind="application/json", length=None):
    head = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if body or length is not None or not status.startswith("304"):
        head += [f"Content-Type: {kind}", f"Content-Length: {len(body) if length is None else length}"]
    connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def ok(server, connection, headers):
    body = server.document()
    etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
    if headers.get("if-none-match") == etag:
        return answer(connection, "304 Not Modified", headers=[f"ETag: {etag}"])
    answer(connection, "200 OK", body, [f"ETag: {etag}"])


def once(server, connection, headers):
    if headers.get("if-none-match") == '"' + hashlib.sha256(server.document()).hexdigest()[:16] + '"':
        return answer(connection, "503 Service Unavailable", b"gone\n")
    ok(server, connection, headers)


def not_modified(server, connection, headers):
    answer(connection, "304 Not Modified")


def wrong_etag(server, connection, headers):
    answer(connection, "200 OK", server.document(), [f'ETag: "wrong-{next(server.serial)}"'])


def no_etag(server, connection, headers):
    answer(connection, "200 OK", server.document())


def token(server, connection, headers):
    if headers.get("authorization") != "Bearer secret-token":
        return answer(connection, "401 Unauthorized", b"{}")
    answer(connection, "200 OK", server.document())


def status_500(server, connection, headers):
    answer(connection, "500 Internal Server Error", b'{"schema":1,"backhaul_rules":[]}\n')


def status_404(server, connection, headers):
    answer(connection, "404 Not Found", b'{"schema":1,"backhaul_rules":[]}\n')


def html(server, connection, headers):
    answer(connection, "200 OK", HTML, kind="text/html; charset=utf-8")


def html_as_json(server, connection, headers):
    answer(connection, "200 OK", HTML)


def empty(server, connection, headers):
    answer(connection, "200 OK", length=0)


def cut_off(server, connection, headers):
    body = server.document()
    answer(connection, "200 OK", body[: len(body) // 2], length=len(body))


def chunked(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")


def cut_chunked(server, connection, headers):
    chunked(connection)
    connection.sendall(b'1000\r\n{"schema":1,')


def slow_loris(server, connection, headers):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n" + b" " * 100000:
        connection.sendall(bytes([byte]))
        time.sleep(1)


def slow_start(server, connection, headers):
    select.select([connection], [], [], 300)


def endless(server, connection, headers):
    chunked(connection)
    block = b"10000\r\n" + b"[" * 65536 + b"\r\n"
    while True:
        connection.sendall(block)


def huge_header(server, connection, headers):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Huge: ")
    for _ in range(160):
        connection.sendall(b"x" * 65536)
    connection.sendall(b"\r\nContent-Length: 0\r\n\r\n")


def many_headers(server, connection, headers):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        connection.sendall(f"X-{number}: {'x' * 100}\r\n".encode())


def redirect(server, connection, headers):
    answer(connection, "302 Found", headers=["Location: /ok"])


def garbage(server, connection, headers):
    connection.sendall(bytes(range(256)) * 16)


def hang_up(server, connection, headers):
    pass


def gzip_bomb(server, connection, headers):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"\0" * (1 << 20)
    body = b"".join(packer.compress(zeros) for _ in range(128)) + packer.flush()
    answer(connection, "200 OK", body, ["Content-Encoding: gzip"])


MODES = {
    "ok": ok, "not-modified": not_modified, "wrong-etag": wrong_etag, "no-etag": no_etag, "once": once, "token": token,
    "500": status_500, "404": status_404, "html": html, "html-as-json": html_as_json, "empty": empty,
    "cut-off": cut_off, "cut-chunked": cut_chunked, "slow-loris": slow_loris, "slow-start": slow_start,
    "endless": endless, "huge-header": huge_header, "many-headers": many_headers, "redirect": redirect,
    "garbage": garbage, "hang-up": hang_up, "gzip-bomb": gzip_bomb,
}


def handle(server, context, connection):
    try:
        with connection:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            server.serve(connection)
            # An orderly end: what is left of the client's bytes must not turn it into a reset.
            connection.shutdown(socket.SHUT_WR)
    except (OSError, ValueError):
        pass


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--document")
    parser.add_argument("--mode", default="ok", choices=MODES)
    parser.add_argument("--mode-file")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--authority", help="client certificates signed by this are asked for")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
        if options.authority:
            context.load_verify_locations(options.authority)
            context.verify_mode = ssl.CERT_REQUIRED
    server = Server(options)
    listener = socket.create_server((options.bind, options.port), backlog=128)
    print(f"listening {listener.getsockname()[1]}", flush=True)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=handle, args=(server, context, connection), daemon=True).start()

    if options.until_eof:
        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()
    else:
        accept()


if __name__ == "__main__":
    main()
