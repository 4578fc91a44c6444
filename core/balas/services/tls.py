"""What TLS connections are made with: a context from the options that are named tls-....

A context is made anew whenever one of them changes, so a certificate that was renewed is in use as
soon as CONFIG SET names its file again; connections that stand keep what they began with.

Differs from Redis: tls-auth-clients is checked when it is set, not when somebody connects;
tls-protocols names the lowest and the highest version, and what is between them is allowed, too.
"""

from __future__ import annotations

import _ssl
import ctypes
import re
import ssl
import warnings
from collections.abc import Sequence
from typing import Any, Final

from balas.services.config.store import Config

#: The options that go into a context.
TLS_OPTIONS: Final = (
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-dh-params-file",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-prefer-server-ciphers",
    "tls-session-caching",
    "tls-replication",
    "tls-cluster",
)
VERSIONS: Final = (
    ("tlsv1", ssl.TLSVersion.TLSv1),
    ("tlsv1.1", ssl.TLSVersion.TLSv1_1),
    ("tlsv1.2", ssl.TLSVersion.TLSv1_2),
    ("tlsv1.3", ssl.TLSVersion.TLSv1_3),
)
DEFAULT_VERSIONS: Final = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
VERIFY: Final = {
    "yes": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "no": ssl.CERT_NONE,
}


class BadTls(Exception):
    """Options that no context can be made of; the text is a line for the log."""


def make_context(config: Config) -> ssl.SSLContext:
    """A context for those who connect, as the options say; raises BadTls."""
    certificate, key = config.path("tls-cert-file"), config.path("tls-key-file")
    authorities = config.path("tls-ca-cert-file"), config.path("tls-ca-cert-dir")
    needs_authorities = (
        config.get("tls-auth-clients") != "no"
        or config.get("tls-replication")
        or config.get("tls-cluster")
    )
    if not certificate:
        raise BadTls("No tls-cert-file configured!")
    if not key:
        raise BadTls("No tls-key-file configured!")
    if needs_authorities and not any(authorities):
        raise BadTls(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, "
            "tls-replication or tls-auth-clients are enabled!"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, config.get("tls-protocols"))
    _set_switches(context, config)
    _load_pair(context, certificate, key, config.get("tls-key-file-pass"))
    if any(authorities):
        _load_authorities(context, *authorities)
    context.verify_mode = VERIFY[config.get("tls-auth-clients")]
    if parameters := config.path("tls-dh-params-file"):
        try:
            context.load_dh_params(parameters)
        except OSError as error:
            raise BadTls(f"Failed to load DH params file: {parameters}: {told(error)}") from None
    _set_ciphers(context, config.get("tls-ciphers"), config.get("tls-ciphersuites"))
    return context


def make_client_context(config: Config) -> ssl.SSLContext:
    """A context for talking to another server (tls-replication); raises BadTls.

    The other's certificate must be signed by our authorities; its name is not looked at.
    """
    certificate = config.path("tls-client-cert-file") or config.path("tls-cert-file")
    key = config.path("tls-client-key-file") or config.path("tls-key-file")
    password = config.get(
        "tls-client-key-file-pass" if config.path("tls-client-cert-file") else "tls-key-file-pass"
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    _set_versions(context, config.get("tls-protocols"))
    if certificate:
        _load_pair(context, certificate, key, password)
    _load_authorities(context, config.path("tls-ca-cert-file"), config.path("tls-ca-cert-dir"))
    _set_ciphers(context, config.get("tls-ciphers"), config.get("tls-ciphersuites"))
    return context


def _set_versions(context: ssl.SSLContext, names: str) -> None:
    wanted: Sequence[ssl.TLSVersion] = DEFAULT_VERSIONS
    if names:
        known = dict(VERSIONS)
        words = names.lower().split()
        if not words or not all(word in known for word in words):
            raise BadTls(
                "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', "
                "'TLSv1.2' and 'TLSv1.3'."
            )
        wanted = [known[word] for word in words]
    with warnings.catch_warnings():
        # Old versions are as bad as Python says; who runs the server has asked for them.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = min(wanted)
        context.maximum_version = max(wanted)


def _set_switches(context: ssl.SSLContext, config: Config) -> None:
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if config.get("tls-prefer-server-ciphers"):
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if not config.get("tls-session-caching"):
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0


def _load_pair(context: ssl.SSLContext, certificate: str, key: str, password: str) -> None:
    """The certificate and its key. A key that needs a password never asks the terminal for it."""
    try:
        # Does it hold certificates at all? What fails from here on is a matter of the key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificate)
    except OSError as error:
        raise BadTls(f"Failed to load certificate: {certificate}: {told(error)}") from None
    try:
        context.load_cert_chain(certificate, key, lambda: password)
    except (OSError, ValueError) as error:
        raise BadTls(f"Failed to load private key: {key}: {told(error)}") from None


def _load_authorities(context: ssl.SSLContext, file: str, folder: str) -> None:
    try:
        context.load_verify_locations(file or None, folder or None)
    except OSError as error:
        raise BadTls(
            f"Failed to configure CA certificate(s) file/directory: {told(error)}"
        ) from None


def _set_ciphers(context: ssl.SSLContext, ciphers: str, suites: str) -> None:
    if ciphers:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError:
            raise BadTls(f"Failed to configure ciphers: {ciphers}") from None
    if suites and not set_suites(context, suites):
        raise BadTls(f"Failed to configure ciphersuites: {suites}")


def set_suites(context: ssl.SSLContext, suites: str) -> bool:
    """Choose the ciphers of TLS 1.3, divided by colons; whether that is done.

    Python has a method for it from 3.15 on. Before, OpenSSL's function is called itself: the one
    field of `_ssl._SSLContext` that is needed, the pointer to OpenSSL's context, stands first.
    """
    chosen = getattr(context, "set_ciphersuites", None)
    if chosen is not None:
        try:
            chosen(suites)
        except (OSError, ValueError):
            return False
        return True
    try:
        choose: Any = ctypes.CDLL(_ssl.__file__).SSL_CTX_set_ciphersuites
    except (AttributeError, OSError):
        return False  # OpenSSL is built into this Python, out of reach.
    choose.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    return bool(choose(pointer, suites.encode()) == 1)


def told(error: Exception) -> str:
    """An error in OpenSSL's words, without its number, which Python does not keep."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"error:SSL routines::certificate verify failed ({error.verify_message})"
    if isinstance(error, ssl.SSLError) and error.reason:
        library = {"SSL": "SSL routines", "X509": "x509 certificate routines"}
        where = library.get(error.library or "", f"{error.library or 'SSL'} routines")
        return f"error:{where}::{error.reason.lower().replace('_', ' ')}"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return f"error:system library::{error.strerror}"
    if isinstance(error, ssl.SSLError):
        # Some have no name: "[SSL] PEM lib (_ssl.c:3926)".
        text = re.sub(r"^\[(\w+)\] *| *\(_ssl\.c:\d+\)$", "", str(error))
        return f"error:{error.library or 'SSL'} routines::{text}"
    return f"error:{str(error) or 'connection lost'}"
