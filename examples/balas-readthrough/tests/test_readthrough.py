import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

MODULE = str(Path(__file__).parent.parent / "balas_readthrough")


class Site(BaseHTTPRequestHandler):
    """Answers with the path; the gate holds answers back."""

    gate = threading.Event()
    words = "this is"

    def do_GET(self):
        self.gate.wait(10)
        if self.path == "/nothing":
            self.send_error(404)
        elif self.path == "/broken":
            self.send_error(500)
        else:
            body = f"{self.words} {self.path}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def balas_bundled():
    """Without the modules that come with Balas: these tests need none, and start faster."""
    return False


@pytest.fixture
def site():
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        Site.gate.set()
        Site.words = "this is"
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def client(balas_server, site):
    client = balas_server.client()
    client("MODULE", "LOADEX", MODULE, "CONFIG", "readthrough-origin", site)
    return client


def sent(client, times=1):
    return b"readthrough_sent:%d\r\n" % times in client("INFO", "readthrough")


def wait_until(balas_server, check):
    balas_server.run_loop(check, timeout_s=10)
    assert check()


def test_what_was_asked_for_is_kept_for_a_time(client, balas_clock):
    assert client("WEB.GET", "/a") == b"this is /a"
    assert client("WEB.GET", "/a") == b"this is /a"
    assert sent(client)
    assert client("GET", "/a") == b"this is /a"
    balas_clock.advance(60_001)
    assert client("EXISTS", "/a") == 0


def test_others_are_served_meanwhile_and_one_request_is_enough(client, balas_server):
    Site.gate.clear()
    waiting = [balas_server.client() for _ in range(3)]
    for one in waiting:
        one.send("WEB.GET", "/slow")
    assert client("PING") == b"PONG"
    Site.gate.set()
    assert [one.read() for one in waiting] == [b"this is /slow"] * 3
    assert sent(client)


def test_what_is_not_found_is_nil_and_not_kept(client):
    assert client("WEB.GET", "/nothing") is None
    assert client("EXISTS", "/nothing") == 0


def test_failures_are_errors(client):
    assert "500" in client.error("WEB.GET", "/broken")
    client("CONFIG", "SET", "readthrough-origin", "http://127.0.0.1:1")
    assert client.error("WEB.GET", "/a").startswith("ERR the origin failed: ")
    client("LPUSH", "list", "x")
    assert client.error("WEB.GET", "list").startswith("WRONGTYPE")


def test_what_is_stale_is_returned_while_a_new_answer_is_fetched(client, balas_server, balas_clock):
    client("CONFIG", "SET", "readthrough-stale-ms", 30_000)
    client("WEB.GET", "/a")
    balas_clock.advance(59_000)
    assert client("WEB.GET", "/a") == b"this is /a"
    assert sent(client)
    balas_clock.advance(2_000)
    Site.words = "now it is"
    Site.gate.clear()
    assert [client("WEB.GET", "/a") for _ in range(3)] == [b"this is /a"] * 3
    Site.gate.set()
    wait_until(balas_server, lambda: client("GET", "/a") == b"now it is /a")
    assert sent(client, 2)
    assert client("PTTL", "/a") == 90_000


def test_a_stale_answer_stays_while_the_origin_fails(client, balas_server, balas_clock):
    client("CONFIG", "SET", "readthrough-stale-ms", 30_000)
    client("WEB.GET", "/a")
    balas_clock.advance(61_000)
    client("CONFIG", "SET", "readthrough-origin", "http://127.0.0.1:1")
    assert client("WEB.GET", "/a") == b"this is /a"
    wait_until(balas_server, lambda: "/a stays as it is: ERR the origin failed" in balas_server.log)
    assert client("WEB.GET", "/a") == b"this is /a"
    balas_clock.advance(30_000)
    assert client.error("WEB.GET", "/a").startswith("ERR the origin failed")


def test_who_hangs_up_has_not_asked_in_vain(client, balas_server):
    Site.gate.clear()
    leaving, staying = balas_server.client(), balas_server.client()
    leaving.send("WEB.GET", "/slow")
    staying.send("WEB.GET", "/slow")
    balas_server.run_loop()
    leaving.close()
    Site.gate.set()
    assert staying.read() == b"this is /slow"
    wait_until(balas_server, lambda: client("GET", "/slow") == b"this is /slow")
    assert sent(client)


def test_an_origin_that_is_too_slow_is_an_error(client):
    client("CONFIG", "SET", "readthrough-timeout-ms", 20)
    Site.gate.clear()
    assert client.error("WEB.GET", "/slow").startswith("ERR the origin failed")
    Site.gate.set()
