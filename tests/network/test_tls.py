"""Connections through TLS: who gets in, what is refused, and that a bad handshake harms nobody."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme

from balas.services.config.store import Config
from balas.services.tls import BadTls, make_context
from balas.testing import BalasProcess, Client, StartupError, wait_until
from balas.testing.server_process import free_port


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, a server's and a client's certificate, and a stranger's."""
    folder = tmp_path_factory.mktemp("certificates")
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.crt")
    theirs.cert_pem.write_to_path(folder / "other-ca.crt")
    for name, authority in (("server", ours), ("client", ours), ("stranger", theirs)):
        pair = authority.issue_cert("localhost", "127.0.0.1", common_name=name)
        pair.private_key_pem.write_to_path(folder / f"{name}.key")
        chain = b"".join(part.bytes() for part in pair.cert_chain_pems)
        (folder / f"{name}.crt").write_bytes(chain)
    (folder / "nonsense").write_text("no certificate at all\n")
    return folder


def options_for(files: Path, **more: Any) -> dict[str, Any]:
    """Options of a server that speaks TLS; names with _ for -."""
    found: dict[str, Any] = {
        "tls-port": free_port(),
        "tls-cert-file": files / "server.crt",
        "tls-key-file": files / "server.key",
        "tls-ca-cert-file": files / "ca.crt",
        "bare": "yes",
        "loglevel": "verbose",
    }
    return found | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.fixture(scope="module")
def server(files: Path) -> Iterator[BalasProcess]:
    """A server for the tests that change nothing of it: clients may show a certificate."""
    with BalasProcess(options_for(files, tls_auth_clients="optional")) as process:
        yield process


class Secure:
    """A transport for `Client` that speaks TLS."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, timeout_s: float) -> bytes:
        self.socket.settimeout(timeout_s)
        return self.socket.recv(65536)

    def close(self) -> None:
        self.socket.close()


def context_for(files: Path, name: str | None = "client") -> ssl.SSLContext:
    """What a client needs that trusts our authority and shows this certificate, or none."""
    context = ssl.create_default_context(cafile=str(files / "ca.crt"))
    if name:
        context.load_cert_chain(files / f"{name}.crt", files / f"{name}.key")
    return context


def connect(server: BalasProcess, context: ssl.SSLContext) -> Client:
    return Client(Secure(server.options["tls-port"], context))


def is_let_in(server: BalasProcess, context: ssl.SSLContext) -> bool:
    """With TLS 1.3 the refusal comes after the client believes to be in."""
    try:
        with connect(server, context) as client:
            return client("PING") == b"PONG"
    except OSError:
        return False


# What gets through.


def test_commands_of_all_sizes_get_through(server: BalasProcess, files: Path) -> None:
    with connect(server, context_for(files)) as client:
        for size in (0, 1, 16_384, 1_000_000, 20_000_000):
            assert client("SET", "k", b"x" * size) == b"OK"
            assert client("GET", "k") == b"x" * size
        assert client.pipeline(*(["ECHO", n] for n in range(2000)))[-1] == b"1999"


def test_a_command_in_the_same_packet_as_the_handshake_s_end_is_answered(
    server: BalasProcess, files: Path
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context_for(files).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", server.options["tls-port"]), timeout=10) as plain:
        while True:
            try:
                secure.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
        secure.write(b"PING\r\n")
        plain.sendall(outgoing.read())
        reply = b""
        while not reply:
            incoming.write(plain.recv(65536))
            try:
                reply = secure.read()
            except ssl.SSLWantReadError:
                continue
        assert reply == b"+PONG\r\n"


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_speaks_through_it(server: BalasProcess, files: Path, protocol: int) -> None:
    with redis.Redis(
        port=server.options["tls-port"],
        ssl=True,
        ssl_ca_certs=str(files / "ca.crt"),
        ssl_certfile=str(files / "client.crt"),
        ssl_keyfile=str(files / "client.key"),
        protocol=protocol,
    ) as client:
        assert client.ping()
        with client.pipeline() as pipe:
            assert pipe.incr("n").incr("n").execute() == [1, 2]
        client.delete("n")


def test_redis_cli_speaks_through_it(server: BalasProcess, files: Path) -> None:
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")
    command = ["redis-cli", "-p", str(server.options["tls-port"]), "--tls"]
    command += ["--cacert", str(files / "ca.crt")]
    shown = subprocess.run([*command, "PING"], capture_output=True, text=True, timeout=20)
    assert shown.stdout == "PONG\n", shown.stderr


def test_blocking_messages_and_goodbye(server: BalasProcess, files: Path) -> None:
    with connect(server, context_for(files)) as one, connect(server, context_for(files)) as other:
        one.send("BLPOP", "queue", 0)
        other("RPUSH", "queue", "job")
        assert one.read() == [b"queue", b"job"]
        one.send("SUBSCRIBE", "news")
        one.read()
        other("PUBLISH", "news", "hello")
        assert one.read()[-1] == b"hello"
        assert other("QUIT") == b"OK"
        assert other.read_to_end() == b""


def test_client_list_shows_the_address(server: BalasProcess, files: Path) -> None:
    with connect(server, context_for(files)) as client:
        line = client("CLIENT", "INFO").decode()
    assert f"laddr=127.0.0.1:{server.options['tls-port']}" in line


# Who is refused.


def test_certificates_that_are_optional_must_still_be_good(
    server: BalasProcess, files: Path
) -> None:
    assert is_let_in(server, context_for(files, None))
    assert is_let_in(server, context_for(files))
    assert not is_let_in(server, context_for(files, "stranger"))


@pytest.mark.parametrize(("wanted", "welcome"), [("yes", [False, True]), ("no", [True, True])])
def test_certificates_that_are_asked_for(files: Path, wanted: str, welcome: list[bool]) -> None:
    with BalasProcess(options_for(files, tls_auth_clients=wanted)) as server:
        shown = [is_let_in(server, context_for(files, name)) for name in (None, "client")]
        assert shown == welcome
        assert not is_let_in(server, context_for(files, "stranger")) or wanted == "no"


def test_a_failed_handshake_is_logged_and_harms_nobody(server: BalasProcess, files: Path) -> None:
    with connect(server, context_for(files)) as client:
        before = server.log.count("Error accepting a client connection")
        port = server.options["tls-port"]
        silent = socket.create_connection(("127.0.0.1", port))
        gone = socket.create_connection(("127.0.0.1", port))
        gone.close()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            plain.sendall(b"PING\r\n" * 1000)
            while plain.recv(1000):
                pass
        assert not is_let_in(server, context_for(files, "stranger"))
        assert client("PING") == b"PONG"
        assert is_let_in(server, context_for(files))
        silent.close()
        wait_until(
            lambda: server.log.count("Error accepting a client connection") >= before + 2,
            what="the lines of the log",
        )
        assert "Traceback" not in server.log


def test_maxclients_counts_them(files: Path) -> None:
    with BalasProcess(options_for(files, maxclients=2, tls_auth_clients="no")) as server:
        context = context_for(files, None)
        with connect(server, context) as one, server.client() as other:
            assert one("PING") == other("PING") == b"PONG"
            assert not is_let_in(server, context)


# Options.


def test_no_other_port_is_needed(files: Path) -> None:
    options = options_for(files, port=0)
    process = BalasProcess(options)
    try:
        process.start(wait=False)
        wait_until(lambda: "Ready to accept connections tls" in process.log, what="the start")
        with connect(process, context_for(files)) as client:
            info = client("INFO", "server").decode()
        assert f"tcp_port:{options['tls-port']}\r\n" in info
        assert f"listener2:name=tls,bind=127.0.0.1,port={options['tls-port']}\r\n" in info
        assert "listener0" not in info
    finally:
        process.close()


def presented(server: BalasProcess, files: Path) -> str:
    """The common name in the certificate that the server shows."""
    context = ssl.create_default_context(cafile=str(files / "ca.crt"))
    context.load_verify_locations(files / "other-ca.crt")
    with socket.create_connection(("127.0.0.1", server.options["tls-port"])) as plain:
        secure = context.wrap_socket(plain, server_hostname="localhost")
        subject = dict(pair[0] for pair in secure.getpeercert()["subject"])
        secure.close()
    return str(subject["commonName"])


def test_certificates_are_exchanged_while_it_runs(files: Path) -> None:
    with BalasProcess(options_for(files, tls_auth_clients="no")) as server:
        with server.client() as client, connect(server, context_for(files, None)) as old:
            assert presented(server, files) == "server"
            refusal = client.error("CONFIG", "SET", "tls-key-file", str(files / "stranger.key"))
            assert refusal == (
                "ERR CONFIG SET failed (possibly related to argument 'tls-key-file') - Unable to "
                "update TLS configuration. Check server logs."
            )
            assert presented(server, files) == "server"
            client(
                *("CONFIG", "SET", "tls-cert-file", str(files / "stranger.crt")),
                *("tls-key-file", str(files / "stranger.key")),
            )
            assert presented(server, files) == "stranger"
            assert old("PING") == b"PONG"
        assert "Failed to load private key: " in server.log


def test_files_are_read_again_when_their_names_are_set_again(files: Path, tmp_path: Path) -> None:
    own = {f"tls_{kind}_file": tmp_path / f"own.{kind}" for kind in ("cert", "key")}

    def place(name: str) -> None:
        shutil.copy(files / f"{name}.crt", own["tls_cert_file"])
        shutil.copy(files / f"{name}.key", own["tls_key_file"])

    place("server")
    with (
        BalasProcess(options_for(files, tls_auth_clients="no", **own)) as server,
        server.client() as client,
    ):
        place("stranger")
        assert presented(server, files) == "server"
        client("CONFIG", "SET", "tls-cert-file", str(own["tls_cert_file"]))
        assert presented(server, files) == "stranger"


def test_the_port_can_be_changed_while_it_runs(files: Path) -> None:
    with BalasProcess(options_for(files, tls_port=0)) as server, server.client() as client:
        server.options["tls-port"] = free_port()
        client("CONFIG", "SET", "tls-port", server.options["tls-port"])
        assert is_let_in(server, context_for(files))
        refusal = client.error("CONFIG", "SET", "tls-port", server.port)
        assert refusal.endswith("Unable to listen on this port. Check server logs.")
        assert is_let_in(server, context_for(files))
        client("CONFIG", "SET", "tls-port", 0)
        assert not is_let_in(server, context_for(files))
        client("CONFIG", "SET", "tls-cert-file", "nowhere")
        refusal = client.error("CONFIG", "SET", "tls-port", server.options["tls-port"])
        assert refusal.endswith("Unable to update TLS configuration. Check server logs.")


def test_a_start_that_cannot_be_says_why(files: Path) -> None:
    with pytest.raises(StartupError) as refused:
        BalasProcess(options_for(files, tls_key_file="nowhere")).start()
    assert "Failed to load private key: " in refused.value.log
    assert "Failed to configure TLS. Check logs for more info." in refused.value.log
    assert refused.value.exit_code == 1


def set_up(files: Path, **options: Any) -> ssl.SSLContext:
    config = Config()
    for name, value in options_for(files, **options).items():
        if name.startswith("tls"):
            config.assign(name, value if isinstance(value, int) else str(value))
    return make_context(config)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tls_cert_file": ""}, "No tls-cert-file configured!"),
        ({"tls_key_file": ""}, "No tls-key-file configured!"),
        (
            {"tls_ca_cert_file": ""},
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, "
            "tls-replication or tls-auth-clients are enabled!",
        ),
        (
            {"tls_cert_file": "/nowhere"},
            "Failed to load certificate: /nowhere: error:system library::No such file or directory",
        ),
        (
            {"tls_key_file": "/nowhere"},
            "Failed to load private key: /nowhere: error:system library::No such file or directory",
        ),
        (
            {"tls_ca_cert_file": "/nowhere"},
            "Failed to configure CA certificate(s) file/directory: error:system library::No such "
            "file or directory",
        ),
        (
            {"tls_protocols": "TLSv1.2 TLSv1.4"},
            "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' "
            "and 'TLSv1.3'.",
        ),
        ({"tls_ciphers": "FOO"}, "Failed to configure ciphers: FOO"),
        ({"tls_ciphersuites": "FOO"}, "Failed to configure ciphersuites: FOO"),
    ],
)
def test_options_that_make_no_sense(files: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadTls) as refused:
        set_up(files, **options)
    assert str(refused.value) == reason


@pytest.mark.parametrize("name", ["tls_cert_file", "tls_key_file", "tls_dh_params_file"])
def test_a_file_that_holds_something_else(files: Path, name: str) -> None:
    with pytest.raises(BadTls, match=r"^Failed to load .*/nonsense: error:"):
        set_up(files, **{name: files / "nonsense"})


def test_a_key_with_a_password(files: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key((files / "server.key").read_bytes(), None)
    (files / "locked.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    set_up(files, tls_key_file=files / "locked.key", tls_key_file_pass="secret")
    for wrong in ("", "guess"):
        with pytest.raises(BadTls, match=r"^Failed to load private key"):
            set_up(files, tls_key_file=files / "locked.key", tls_key_file_pass=wrong)


def agreed(
    server: ssl.SSLContext, client: ssl.SSLContext, look: Callable[[ssl.SSLObject], Any]
) -> Any:
    """Let two contexts shake hands in memory, and look at what they agreed on."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = server.wrap_bio(to_server, to_client, server_side=True)
    other = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    open_sides = [other, one]
    for _ in range(10):
        for side in list(open_sides):
            try:
                side.do_handshake()
                open_sides.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not open_sides
    return look(one)


def test_versions_and_ciphers_are_those_asked_for(files: Path) -> None:
    client = context_for(files)
    old = set_up(files, tls_protocols="TLSv1.2", tls_ciphers="ECDHE-RSA-AES128-GCM-SHA256")
    assert (old.minimum_version, old.maximum_version) == (
        ssl.TLSVersion.TLSv1_2,
        ssl.TLSVersion.TLSv1_2,
    )
    assert "ECDHE-RSA-AES128-GCM-SHA256" in [cipher["name"] for cipher in old.get_ciphers()]
    assert agreed(set_up(files), client, ssl.SSLObject.version) == "TLSv1.3"
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"):
        chosen = set_up(files, tls_ciphersuites=suite)
        assert agreed(chosen, client, lambda side: side.cipher()[0]) == suite


def test_session_tickets_can_be_done_without(files: Path) -> None:
    assert set_up(files).num_tickets > 0
    without = set_up(files, tls_session_caching=0)
    assert without.num_tickets == 0
    assert without.options & ssl.OP_NO_TICKET


def test_a_replica_encrypts_its_link(files: Path) -> None:
    with BalasProcess(options_for(files)) as first:
        with connect(first, context_for(files)) as primary:
            primary("SET", "k", "v")
        more = {
            "replicaof": f"127.0.0.1 {first.options['tls-port']}",
            "tls_replication": "yes",
            "tls_client_cert_file": files / "client.crt",
            "tls_client_key_file": files / "client.key",
        }
        with BalasProcess(options_for(files, **more)) as second, second.client() as replica:
            wait_until(lambda: replica("ROLE")[3] == b"connected")
            assert replica("GET", "k") == b"v"
            replica("CONFIG", "SET", "tls-ca-cert-file", str(files / "other-ca.crt"))
            replica("CLIENT", "KILL", "TYPE", "MASTER")
            wait_until(lambda: "certificate verify failed" in second.log)
            assert replica("ROLE")[3] != b"connected"
