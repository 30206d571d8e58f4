#!/usr/bin/env python3
"""A small HTTPS server for vpower's tests of its own client.

usage: https-server.py CERTIFICATE KEY [FOLDER]

Listens on 127.0.0.1 and prints {"port": N}; then one JSON object per line for each connection
that ends ({"closed": decrypted bytes it received}) and each request. Each line of its
standard input is answered with {"heard": line}; it ends when its input ends.

Without FOLDER the path says what to do: /ok, /stall, /trickle, /large, /cut, /cookie, /redirect.
With FOLDER it plays a recorded exchange: POST /sdk is answered with the next unused file
METHOD.N.xml of that folder (N from 1; the last one is repeated), `Fault` in the file makes the
status 500, and a file that holds only a number is a bare HTTP status. A file that holds `stall`
is never answered, `drip` is answered with a byte a second, `flood` with 10 GB that begin well.
"""
import json
import os
import re
import socket
import ssl
import sys
import threading
import time

lock = threading.Lock()
used = {}


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


def answer(connection, status, body=b"", headers=()):
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers)
    connection.sendall(head.encode() + b"\r\n" + body)


def recorded(folder, method):
    with lock:
        number = used.get(method, 0) + 1
        if os.path.exists(os.path.join(folder, f"{method}.{number}.xml")):
            used[method] = number
        else:
            number -= 1
    path = os.path.join(folder, f"{method}.{number}.xml")
    if not os.path.exists(path):
        return 404, b"nothing recorded for " + method.encode()
    with open(path, "rb") as file:
        body = file.read()
    if body.strip().isdigit():
        return int(body), b"no healthy upstream"
    return (500 if b"<soapenv:Fault>" in body else 200), body


def misbehave(connection, how):
    if how == b"stall":
        time.sleep(60)
    elif how == b"drip":
        connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(60):
            connection.sendall(b"<")
            time.sleep(1)
    elif how == b"flood":
        connection.sendall(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"2d\r\n<?xml version='1.0' encoding='UTF-8' ?><x><y>\r\n")
        chunk = b"10000\r\n" + b"<z/> " * 13107 + b"\n" + b"\r\n"
        for _ in range(10 * 2 ** 30 // 65536):
            connection.sendall(chunk)
    else:
        return False
    return True


def play(connection, folder, method, path, headers, body):
    if path == "/sdk/vimServiceVersions.xml":
        return answer(connection, *recorded(folder, "versions"))
    match = re.search(rb"<soapenv:Body><(\w+)", body)
    name = match.group(1).decode() if match else "unknown"
    say(method=name, headers=headers, body=body.decode())
    status, reply = recorded(folder, name)
    if misbehave(connection, reply.strip()):
        return
    cookies = []
    if name == "Login":
        with lock:
            number = used.get("Login", 0)
        cookies = [("Set-Cookie", f'vmware_soap_session="session-{number}"; Path=/; Secure')]
    answer(connection, status, reply, cookies)


def act(connection, method, path, headers, body):
    if path == "/stall":
        time.sleep(60)
    elif path == "/trickle":
        connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(60):
            connection.sendall(b"x")
            time.sleep(0.2)
    elif path == "/large":
        answer(connection, 200, b"x" * 2_000_000)
    elif path == "/endless":
        connection.sendall(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)
    elif path == "/cut":
        connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\nhalf")
        connection.close()
    elif path == "/cookie":
        answer(connection, 200, headers.get("cookie", "none").encode(),
               [("Set-Cookie", 'vmware_soap_session="52 a-b/c="; Path=/; HttpOnly; Secure')])
    elif path == "/redirect":
        answer(connection, 302, b"elsewhere", [("Location", "/ok")])
    else:
        answer(connection, 200, body or b"fine")


def serve(raw, context, folder):
    received = 0
    buffer = b""
    try:
        connection = context.wrap_socket(raw, server_side=True)
        while True:
            while b"\r\n\r\n" not in buffer:
                data = connection.recv(65536)
                if not data:
                    return
                received += len(data)
                buffer += data
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            lines = head.decode().split("\r\n")
            method, path, _ = lines[0].split(" ")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
            size = int(headers.get("content-length", 0))
            while len(buffer) < size:
                data = connection.recv(65536)
                if not data:
                    return
                received += len(data)
                buffer += data
            body, buffer = buffer[:size], buffer[size:]
            if folder:
                play(connection, folder, method, path, headers, body)
            else:
                say(path=path)
                act(connection, method, path, headers, body)
    except OSError:
        pass
    finally:
        raw.close()
        say(closed=received)


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    folder = sys.argv[3] if len(sys.argv) > 3 else None
    listener = socket.create_server(("127.0.0.1", 0))
    say(port=listener.getsockname()[1])

    def accept():
        while True:
            raw, _ = listener.accept()
            threading.Thread(target=serve, args=(raw, context, folder), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    for line in sys.stdin:
        say(heard=line.strip())


main()
