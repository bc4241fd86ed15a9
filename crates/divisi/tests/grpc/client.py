"""A client of gRPC as users have it, on grpcio: runs the cases that it is told, and says how each of them ended.

The cases are those of the interoperability tests (github.com/grpc/grpc, doc/interop-test-descriptions.md), and some more.
"""

import json
import sys
import threading
import time
import traceback

import grpc

TARGET, ROOT, CASES = sys.argv[1], sys.argv[2], sys.argv[3:]
PATIENCE = 20
# Says what divisi itself would say.
OF_DIVISI = "divisi: "


def open_channel(*options):
    if ROOT == "-":
        return grpc.insecure_channel(TARGET, options=options)
    with open(ROOT, "rb") as root:
        credentials = grpc.ssl_channel_credentials(root.read())
    options += (("grpc.ssl_target_name_override", "localhost"),)
    return grpc.secure_channel(TARGET, credentials, options=options)


channel = open_channel()


def unary(method, request=b"", on=None, timeout=PATIENCE, **more):
    return (on or channel).unary_unary(f"/test.Service/{method}").with_call(request, timeout=timeout, **more)


def stream(method, request=b"", timeout=PATIENCE):
    return channel.unary_stream(f"/test.Service/{method}")(request, timeout=timeout)


def failure(ask):
    """The error that a call ends with."""
    try:
        answer = ask()
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"it did not fail: {answer}")


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.01)


def cancelled():
    """How many calls the server has seen that nobody waited for. There is only one server where this is asked."""
    return int(unary("count_cancelled")[0])


def empty_unary():
    answer, call = unary("empty_unary")
    assert answer == b"" and call.code() == grpc.StatusCode.OK
    assert dict(call.initial_metadata())["server-name"]


def large_unary():
    answer, _ = unary("large_unary", b"\x00" * 271828)
    assert answer == b"\x01" * 314159


def four_megabytes():
    """The largest message that gRPC takes by itself."""
    message = bytes(range(256)) * (4 << 12)
    answer, _ = unary("echo", message)
    assert len(message) == 4 << 20 and answer == message


def client_streaming():
    sizes = [27182, 8, 1828, 45904]
    answer = channel.stream_unary("/test.Service/client_streaming")((bytes(size) for size in sizes), timeout=PATIENCE)
    assert answer == str(sum(sizes)).encode()


def server_streaming():
    sizes = [31415, 9, 2653, 58979]
    assert [len(answer) for answer in stream("server_streaming", json.dumps(sizes).encode())] == sizes


class Talk:
    """A call in which each side waits for the other."""

    def __init__(self):
        self.requests = []
        self.changed = threading.Condition()
        self.over = False
        self.answers = channel.stream_stream("/test.Service/ping_pong")(self.said(), timeout=PATIENCE)

    def said(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.requests or self.over)
                if not self.requests:
                    return
                request = self.requests.pop(0)
            yield request

    def say(self, size):
        with self.changed:
            self.requests.append(str(size).encode())
            self.changed.notify()

    def end(self):
        with self.changed:
            self.over = True
            self.changed.notify()


def ping_pong():
    talk = Talk()
    for size in (31415, 9, 2653, 58979):
        talk.say(size)
        assert len(next(talk.answers)) == size
    talk.end()
    assert list(talk.answers) == [] and talk.answers.code() == grpc.StatusCode.OK


def empty_stream():
    talk = Talk()
    talk.end()
    assert list(talk.answers) == [] and talk.answers.code() == grpc.StatusCode.OK


def custom_metadata():
    initial, trailing = "test_initial_metadata_value", b"\xab\xab\xab\x00\xff"
    metadata = (("x-grpc-test-echo-initial", initial), ("x-grpc-test-echo-trailing-bin", trailing))
    answer, call = unary("custom_metadata", b"some", metadata=metadata)
    assert answer == b"some"
    assert dict(call.initial_metadata())["x-grpc-test-echo-initial"] == initial
    assert dict(call.trailing_metadata())["x-grpc-test-echo-trailing-bin"] == trailing


def fails_with(code, message):
    error = failure(lambda: unary("status", json.dumps([code, message]).encode()))
    assert (error.code().value[0], error.details()) == (code, message), error


def status_code_and_message():
    fails_with(2, "test status message")


def special_status_message():
    fails_with(2, "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n")


def unimplemented_method():
    error = failure(lambda: unary("no_such_method"))
    # Said by the server: it is one of its answers, and none of divisi's.
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED and OF_DIVISI not in error.details(), error


def cancel_after_begin():
    before = cancelled()
    call = channel.unary_unary("/test.Service/sleep").future(b"", timeout=PATIENCE)
    time.sleep(0.3)
    call.cancel()
    assert call.code() == grpc.StatusCode.CANCELLED
    until("the server hears of it", lambda: cancelled() == before + 1)


def cancel_after_first_response():
    before = cancelled()
    answers = stream("drip")
    next(answers)
    answers.cancel()
    assert failure(lambda: next(answers)).code() == grpc.StatusCode.CANCELLED
    until("the server hears of it", lambda: cancelled() == before + 1)


def timeout_on_sleeping_server():
    before = cancelled()
    error = failure(lambda: unary("sleep", timeout=0.5))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
    until("the server hears of it", lambda: cancelled() == before + 1)


def keepalive():
    """Who asks whether divisi is still there gets an answer, or this call would end."""
    options = {"keepalive_time_ms": 500, "keepalive_timeout_ms": 2000, "keepalive_permit_without_calls": 1}
    options["http2.max_pings_without_data"] = 0
    patient = open_channel(*((f"grpc.{name}", value) for name, value in options.items()))
    answers = patient.unary_stream("/test.Service/drip")(b"", timeout=4)
    next(answers)
    assert failure(lambda: next(answers)).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert unary("who", on=patient)[0]


def spread():
    """Calls on one channel, which is one connection, reach all servers."""
    names = {unary("who")[0] for _ in range(30)}
    assert names == {b"a", b"b", b"c"}, names
    # Streams that stay open do, too.
    streams = [stream("drip") for _ in range(9)]
    names = [next(answers) for answers in streams]
    for answers in streams:
        answers.cancel()
    assert all(names.count(name) == 3 for name in (b"a", b"b", b"c")), names


def killed_server():
    """The end of a server is an error, and never the end of a message."""
    answers = stream("die")
    assert next(answers) == b"some"
    error = failure(lambda: next(answers))
    # grpc: "HTTP/2 error codes" makes INTERNAL, CANCELLED or UNAVAILABLE of a reset, whatever its code.
    expected = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED)
    assert error.code() in expected, error


def lossless():
    """Calls go on while a server stops; which one is for whoever reads this to say."""
    futures = []
    call = channel.unary_unary("/test.Service/slowly")
    print("calling", flush=True)
    for _ in range(100):
        futures.append(call.future(b"", timeout=PATIENCE))
        time.sleep(0.02)
    names = [future.result() for future in futures]
    assert {b"a", b"b"} <= set(names), set(names)
    late = {unary("who")[0] for _ in range(20)}
    assert late == {b"b"}, late


def held():
    """There is nobody yet who could answer; this call waits for it."""
    print("calling", flush=True)
    assert unary("who")[0] == b"a"


def own(code, *words):
    error = failure(lambda: unary("sleep"))
    assert error.code() == code, error
    assert error.details().startswith(OF_DIVISI), error
    assert all(word in error.details() for word in words), error


def no_replica():
    own(grpc.StatusCode.UNAVAILABLE, "ready")


def no_route():
    own(grpc.StatusCode.UNIMPLEMENTED, "no route")


def too_slow():
    own(grpc.StatusCode.DEADLINE_EXCEEDED, "in time")


def too_slow_streaming():
    answers = stream("sleep")
    error = failure(lambda: next(answers))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and error.details().startswith(OF_DIVISI), error


for case in CASES:
    try:
        globals()[case]()
        print(f"{case}: ok", flush=True)
    except BaseException:
        print(f"{case}: failed\n{traceback.format_exc()}", flush=True)
