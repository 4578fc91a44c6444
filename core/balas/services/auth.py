"""Who a client is. Here there is one user, "default", with the password of `requirepass` or none.

This is the one interface through which connections learn who they are: `welcome` for a client that
has just come or was reset, `log_in` for AUTH and HELLO, `is_open` for protected mode.
"""

from __future__ import annotations

import hashlib
import hmac

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.errors import ReplyError
from balas.services.config.grammar import encode
from balas.services.config.store import Config

WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
DEFAULT_USER = "default"
# The counter's name in INFO.
DENIED = "acl_access_denied_auth"


class Auth:
    """The users of one server."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self._stats = engine.stats
        self._stats.extra[DENIED] = 0
        self._config = config
        engine.on_connect.append(self.welcome)
        engine.on_reset.append(self.welcome)

    @property
    def is_open(self) -> bool:
        """Whether anybody who can connect may do what the default user may."""
        return not self._config.get("requirepass")

    def welcome(self, client: Client) -> None:
        """Make a client the default user, who has to authenticate if there is a password."""
        client.user = DEFAULT_USER
        client.authenticated = self.is_open

    def knows(self, name: bytes) -> bool:
        """Whether there is a user of this name."""
        return name == DEFAULT_USER.encode()

    def log_in(self, client: Client, name: bytes, password: bytes) -> None:
        """Make a client a user; raises WRONGPASS. A client that fails stays who it was."""
        if not self.knows(name) or not (self.is_open or self._is_right(password)):
            self._stats.extra[DENIED] += 1
            raise ReplyError(WRONG_PASS)
        client.user = DEFAULT_USER
        client.authenticated = True

    def log_in_without_name(self, client: Client, password: bytes) -> None:
        """The same as the default user, which makes sense only if it has a password."""
        if self.is_open:
            raise ReplyError(NO_PASSWORD)
        self.log_in(client, DEFAULT_USER.encode(), password)

    def _is_right(self, password: bytes) -> bool:
        """Compare in a time that tells nothing of how much was right, nor of the length."""
        wanted = hashlib.sha256(encode(self._config.get("requirepass"))).digest()
        return hmac.compare_digest(hashlib.sha256(password).digest(), wanted)
