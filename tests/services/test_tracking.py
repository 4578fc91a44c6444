"""Client-side caching: what transcripts cannot show."""

from collections.abc import Callable

from balas.testing import InProcessServer


def info(server: InProcessServer, name: str) -> int:
    text = server.client()("INFO").decode()
    return int(next(line for line in text.split("\r\n") if line.startswith(name)).split(":")[1])


def test_another_connection_is_told(balas_server: InProcessServer) -> None:
    listener, reader, writer = (balas_server.client() for _ in range(3))
    number = listener("CLIENT", "ID")
    listener("SUBSCRIBE", "__redis__:invalidate")
    reader("CLIENT", "TRACKING", "ON", "REDIRECT", number)
    assert reader("CLIENT", "GETREDIR") == number
    reader("GET", "k")
    writer("SET", "k", "v")
    assert listener.read() == [b"message", b"__redis__:invalidate", [b"k"]]
    reader("GET", "k")
    writer("FLUSHDB")
    assert listener.read() == [b"message", b"__redis__:invalidate", None]


def test_a_redirection_to_a_client_that_has_gone(balas_server: InProcessServer) -> None:
    listener, reader = balas_server.client(), balas_server.client(resp=3)
    reader("CLIENT", "TRACKING", "ON", "REDIRECT", listener("CLIENT", "ID"))
    reader("GET", "k")
    number = reader("CLIENT", "GETREDIR")
    listener.close()
    balas_server.client()("SET", "k", "v")
    assert reader.push() == [b"tracking-redir-broken", number]
    assert b"broken_redirect" in reader("CLIENT", "TRACKINGINFO")[b"flags"]


def test_eviction_and_expiry_are_told(balas_server: InProcessServer) -> None:
    reader, writer = balas_server.client(resp=3), balas_server.client()
    writer("SET", "timed", "v", "PX", 50)
    reader("CLIENT", "TRACKING", "ON")
    assert reader("GET", "timed") == b"v"
    balas_server.advance(1000)
    assert reader.push() == [b"invalidate", [b"timed"]]
    writer("SET", "big", "x" * 100_000)
    assert reader("STRLEN", "big") == 100_000
    writer("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", 1)
    writer.error("SET", "another", "v")
    assert reader.push() == [b"invalidate", [b"big"]]


def test_the_table_is_bounded() -> None:
    with InProcessServer({"tracking-table-max-keys": 10}) as server:
        reader = server.client(resp=3)
        reader("CLIENT", "TRACKING", "ON")
        for i in range(30):
            reader("GET", f"k{i}")
        assert info(server, "tracking_total_keys") == 10
        assert info(server, "tracking_clients") == 1
        told = [reader.push() for _ in range(20)]
        assert told == [[b"invalidate", [b"k%d" % i]] for i in range(20)]


def test_broadcasts_of_one_turn_are_one_message(
    balas_process: Callable[..., InProcessServer],
) -> None:
    server = balas_process()
    with server.client(resp=3) as reader, server.client() as writer:
        reader("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "k")
        writer.pipeline(*(["SET", f"k{i}", i] for i in range(50)))
        told = reader.push()
        while len(told[1]) < 50:
            told[1].extend(reader.push()[1])
        assert sorted(told[1]) == sorted(b"k%d" % i for i in range(50))
        assert b"flags=tB" in reader("CLIENT", "INFO")
