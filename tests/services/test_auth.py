"""The default user and its password."""

from balas.services.acl.users import Acl
from balas.testing import InProcessServer

DENIED = "acl_access_denied_auth"


def test_failures_are_counted(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    extra = balas_server.engine.stats.extra
    client.error("AUTH", "nobody", "secret")
    client("CONFIG", "SET", "requirepass", "secret")
    client.error("AUTH", "wrong")
    client.error("HELLO", "3", "AUTH", "default", "wrong")
    assert extra[DENIED] == 3
    client("AUTH", "secret")
    assert extra[DENIED] == 3
    client("CONFIG", "RESETSTAT")
    assert extra[DENIED] == 0


def test_a_new_password_is_asked_of_new_clients_only(balas_server: InProcessServer) -> None:
    old = balas_server.client()
    old("CONFIG", "SET", "requirepass", "secret")
    assert old("PING") == b"PONG"
    new = balas_server.client()
    assert new.error("PING") == "NOAUTH Authentication required."
    old("CONFIG", "SET", "requirepass", "")
    assert new.error("PING") == "NOAUTH Authentication required."
    assert balas_server.client()("PING") == b"PONG"


def test_any_bytes_are_a_password() -> None:
    with InProcessServer({"requirepass": "caf\xe9 \udcff"}) as server:
        client = server.client()
        assert client("AUTH", "café ".encode() + b"\xff") == b"OK"
        assert "WRONGPASS" in server.client().error("AUTH", "café ")
        auth: Acl = server.engine.services[Acl]
        assert not auth.is_open
        assert auth.knows(b"default")
        assert not auth.knows(b"Default")
