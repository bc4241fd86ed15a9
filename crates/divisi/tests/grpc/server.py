"""A server of gRPC as users have it, on grpcio. Methods are generic and messages are bytes, so nothing is generated."""

import json
import os
import signal
import sys
import threading
import time

import grpc
from concurrent import futures

NAME = sys.argv[1]
ADDRESS = sys.argv[2]
cancelled = 0


def began(context):
    """Says who answers."""
    context.send_initial_metadata((("server-name", NAME),))


def note_cancelled(context):
    """Counts a call that ends before it is answered."""

    def ended():
        global cancelled
        cancelled += 1

    context.add_callback(ended)


def empty_unary(request, context):
    began(context)
    assert request == b"", request
    return b""


def who(request, context):
    return NAME.encode()


def large_unary(request, context):
    assert len(request) == 271828, len(request)
    return b"\x01" * 314159


def echo(request, context):
    return request


def client_streaming(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def server_streaming(request, context):
    began(context)
    for size in json.loads(request):
        yield b"\x02" * size


def ping_pong(requests, context):
    for request in requests:
        yield b"\x03" * int(request)


def custom_metadata(request, context):
    asked = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-grpc-test-echo-initial", asked["x-grpc-test-echo-initial"]),))
    context.set_trailing_metadata((("x-grpc-test-echo-trailing-bin", asked["x-grpc-test-echo-trailing-bin"]),))
    return request


def status(request, context):
    code, message = json.loads(request)
    codes = {each.value[0]: each for each in grpc.StatusCode}
    context.abort(codes[code], message)


def sleep(request, context):
    """Never answers."""
    note_cancelled(context)
    while context.is_active():
        time.sleep(0.01)
    return b""


def drip(request, context):
    """Answers once, and then never again."""
    note_cancelled(context)
    yield NAME.encode()
    while context.is_active():
        time.sleep(0.01)


def slowly(request, context):
    time.sleep(0.2)
    return NAME.encode()


def die(request, context):
    yield b"some"
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)


def count_cancelled(request, context):
    return str(cancelled).encode()


UNARY = [empty_unary, who, large_unary, echo, custom_metadata, status, sleep, slowly, count_cancelled]
METHODS = {each.__name__: grpc.unary_unary_rpc_method_handler(each) for each in UNARY}
METHODS |= {each.__name__: grpc.unary_stream_rpc_method_handler(each) for each in (server_streaming, drip, die)}
METHODS["client_streaming"] = grpc.stream_unary_rpc_method_handler(client_streaming)
METHODS["ping_pong"] = grpc.stream_stream_rpc_method_handler(ping_pong)

server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=(("grpc.so_reuseport", 0),))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", METHODS),))
port = server.add_insecure_port(ADDRESS)
server.start()
print(f"listening on {ADDRESS.rsplit(':', 1)[0]}:{port}", flush=True)

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
stopping.wait()
# Says GOAWAY, and lets what was begun finish.
server.stop(10).wait()
