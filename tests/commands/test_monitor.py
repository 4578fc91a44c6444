"""MONITOR: what a watcher sees of the others."""

from balas.testing import InProcessServer


def test_a_monitor_sees_what_the_others_do() -> None:
    with InProcessServer() as server, server.client() as watcher, server.client() as other:
        assert watcher("MONITOR") == b"OK"
        other("SELECT", "1")
        other("SET", "k", 'two "words"')
        lines = [watcher.read(), watcher.read()]
        assert lines[0].endswith(b'"SELECT" "1"')
        assert b" [1 " in lines[1]
        assert lines[1].endswith(b'"SET" "k" "two \\"words\\""')


def test_a_monitor_sees_no_passwords() -> None:
    with InProcessServer() as server, server.client() as watcher, server.client() as other:
        watcher("MONITOR")
        other.error("AUTH", "secret")
        other("GET", "k")
        assert b"secret" not in watcher.read()
