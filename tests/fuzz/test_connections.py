"""Many connections doing anything at once: nobody hangs, and nothing is left of those who go."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from balas.engine.client import Client as EngineClient
from balas.services.pubsub import PubSub
from balas.testing import Client, InProcessServer, encode
from balas.testing.in_process import MemoryTransport
from balas.testing.wire import NOT_YET, TypedReader

KEYS = st.sampled_from(["a", "b", "c"])
NAMES = st.sampled_from(["one", "two", "o*"])
COMMANDS = st.one_of(
    st.tuples(st.just("SET"), KEYS, st.sampled_from(["1", "x" * 9000])),
    st.tuples(st.sampled_from(["GET", "INCR", "DEL", "WATCH"]), KEYS),
    st.tuples(st.sampled_from(["MULTI", "EXEC", "DISCARD", "UNWATCH", "RESET", "PING", "QUIT"])),
    st.tuples(st.sampled_from(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"]), NAMES, NAMES),
    st.tuples(st.sampled_from(["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"])),
    st.tuples(st.sampled_from(["PUBLISH", "SPUBLISH"]), NAMES, st.sampled_from(["m", "m" * 9000])),
    st.tuples(st.just("HELLO"), st.sampled_from(["2", "3"])),
    st.tuples(st.just("SELECT"), st.sampled_from(["0", "1"])),
    st.just(("SWAPDB", "0", "1")),
    st.just(("FLUSHALL",)),
    st.tuples(st.just("CLIENT"), st.just("REPLY"), st.sampled_from(["ON", "OFF", "SKIP"])),
    st.tuples(
        st.just("CLIENT"), st.just("PAUSE"), st.just("50"), st.sampled_from(["WRITE", "ALL"])
    ),
    st.tuples(st.just("CLIENT"), st.just("KILL"), st.just("TYPE"), st.just("pubsub")),
    st.tuples(st.just("CLIENT"), st.sampled_from(["UNPAUSE", "LIST", "INFO"])),
    st.tuples(
        *map(st.just, ("CONFIG", "SET", "notify-keyspace-events")),
        st.sampled_from(["", "KEA", "KEAmnoc"]),
    ),
    st.tuples(
        *map(st.just, ("CONFIG", "SET", "client-output-buffer-limit")),
        st.sampled_from(["normal 0 0 0 pubsub 0 0 0", "normal 20000 0 0 pubsub 20000 0 0"]),
    ),
    st.just(("NOSUCH",)),
)


class Connections(RuleBasedStateMachine):
    """One server and those who use it."""

    connections = Bundle("connections")

    def __init__(self) -> None:
        super().__init__()
        self.server = InProcessServer(bundled=False)
        self.readers: dict[Any, TypedReader] = {}

    @rule(target=connections)
    def connect(self) -> MemoryTransport:
        transport = MemoryTransport(self.server)
        self.readers[transport] = TypedReader()
        return transport

    @rule(transport=connections, commands=st.lists(COMMANDS, min_size=1, max_size=6))
    def send(self, transport: MemoryTransport, commands: list[tuple[str, ...]]) -> None:
        if not transport.closed:
            transport.send(b"".join(encode(*command) for command in commands))

    @rule(transport=connections, size=st.integers(1, 20))
    def send_half(self, transport: MemoryTransport, size: int) -> None:
        if not transport.closed:
            data = encode("SET", "a", "half a request")
            transport.send(data[:size])
            if not transport.closed:
                transport.send(data[size:])

    @rule(transport=connections, reads=st.booleans())
    def begin_or_stop_reading(self, transport: MemoryTransport, reads: bool) -> None:
        engine = self.server.engine
        transport.reading = reads
        if reads:
            engine.relieved(transport.peer)
        elif not transport.closed and transport.get_write_buffer_size() > 1000:
            engine.congested(transport.peer)

    @rule(transport=consumes(connections))
    def hang_up(self, transport: MemoryTransport) -> None:
        transport.closed = True
        self.server.engine.leave(transport.peer)

    @rule(ms=st.integers(1, 100))
    def wait(self, ms: int) -> None:
        self.server.advance(ms)

    @rule(target=connections)
    def nobody(self) -> Any:
        return multiple()

    @invariant()
    def all_that_was_said_is_in_the_protocol(self) -> None:
        for transport, reader in self.readers.items():
            if transport.has_output:
                reader.feed(transport.receive(0))
            while (reply := reader.gets()) is not NOT_YET:
                assert not (reply.is_error and b"internal error" in reply.value), reply

    @invariant()
    def nothing_is_left_of_those_who_went(self) -> None:
        engine = self.server.engine
        present = set(engine.clients.values())
        pubsub: PubSub = engine.services[PubSub]
        for table in (pubsub.channels, pubsub.patterns, pubsub.shard_channels):
            assert all(clients and present.issuperset(clients) for clients in table.values())
        for watchers in engine.changes.watched.values():
            assert watchers
            assert present.issuperset(watchers)
        assert present.issuperset(engine.pause.waiting.values())
        assert all(not client.closed for client in present)

    @invariant()
    def a_client_is_subscribed_to_what_the_channels_say(self) -> None:
        pubsub: PubSub = self.server.engine.services[PubSub]
        for client in self.server.engine.clients.values():
            assert set(client.channels) == subscribed(pubsub.channels, client)
            assert set(client.patterns) == subscribed(pubsub.patterns, client)

    def teardown(self) -> None:
        engine = self.server.engine
        for client in list(engine.clients.values()):
            engine.relieved(client)
        # A request that waited for the end of a pause may begin the next.
        while engine.pause.active:
            engine.pause.end()
        with Client(MemoryTransport(self.server)) as witness:
            assert witness("PING") == b"PONG"
        self.server.close()


def subscribed(table: dict[bytes, dict[EngineClient, None]], client: EngineClient) -> set[bytes]:
    return {name for name, clients in table.items() if client in clients}


TestConnections = Connections.TestCase
