import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

MODULE = str(Path(__file__).parent.parent / "balas_readthrough")


class Site(BaseHTTPRequestHandler):
    """Answers with the path; the gate holds answers back."""

    gate = threading.Event()

    def do_GET(self):
        self.gate.wait(10)
        if self.path == "/nothing":
            self.send_error(404)
        elif self.path == "/broken":
            self.send_error(500)
        else:
            body = f"this is {self.path}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        Site.gate.set()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def client(balas_server, site):
    client = balas_server.client()
    client("MODULE", "LOADEX", MODULE, "CONFIG", "readthrough-origin", site)
    return client


def sent(client):
    return b"readthrough_sent:%d\r\n" % 1 in client("INFO", "readthrough")


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
