"""The users of one server: who a client is, what it may do, and where users are kept.

This is the one interface through which connections learn who they are: `welcome` for a client that
has just come or was reset, `log_in` for AUTH and HELLO, `is_open` for protected mode. A client of a
user who may do everything is not asked anything further; others carry the attention bit RESTRICTED,
and each of their requests passes the gate `_permit`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from balas.engine import attention
from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.engine.gates import ORDER_ACL
from balas.errors import ReplyError, printable
from balas.protocol.replies import Reply
from balas.registry.spec import CommandSpec
from balas.services.acl.check import COMMAND, Denial, judge, may_read_all
from balas.services.acl.log import AclLog
from balas.services.acl.rules import READ, BadRule, User, hashed, joined
from balas.services.clients import Clients
from balas.services.config.grammar import encode
from balas.services.config.rewrite import replace_file
from balas.services.config.store import Config, Directive
from balas.services.log import Log
from balas.services.system import StartRefused

WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
NO_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users "
    "via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis "
    "configuration file set) in order to store users in the Redis configuration."
)
TWO_SOURCES = (
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path "
    "is invalid. This setup is very likely to lead to configuration errors and security holes, "
    "please define either an ACL file or declare users directly in your redis.conf, but not both."
)
DEFAULT_USER = b"default"
# The counters' names in INFO: of logging in, and of what a command, key or channel refused.
DENIED = {
    "auth": "acl_access_denied_auth",
    COMMAND: "acl_access_denied_cmd",
    "key": "acl_access_denied_key",
    "channel": "acl_access_denied_channel",
}


class Acl:
    """All users by name, and the gate that their requests pass.

    Attributes:
        users: by name; the default user is always there.
        log: what was refused.

    Example:
        >>> @command("DEMO.MAY", arity=2, flags=READONLY | VARIABLE_FLAGS)
        ... def may(ctx, name):
        ...     return ctx.service(Acl).may_read(ctx.client, [name])
        >>> client = serve()
        >>> client("DEMO.MAY", "k")
        1
        >>> client("ACL", "SETUSER", "default", "resetkeys", "~mine:*")
        b'OK'
        >>> client("DEMO.MAY", "k")
        0
    """

    def __init__(self, engine: Engine, config: Config, log: Log, clients: Clients) -> None:
        self._engine = engine
        self._config = config
        self._server_log = log
        self._clients = clients
        self._commands = engine.commands
        self._stats = engine.stats
        self._stats.extra.update(dict.fromkeys(DENIED.values(), 0))
        self.log = AclLog(config.get("acllog-max-len"))
        self.users: dict[bytes, User] = {DEFAULT_USER: self._default_user()}
        self._take_password(config)
        engine.on_connect.append(self.welcome)
        engine.on_reset.append(self.welcome)
        engine.gates.add(ORDER_ACL, attention.RESTRICTED, self._permit)
        config.on_change("requirepass", self._take_password)
        config.on_change("acllog-max-len", lambda c: self.log.resize(c.get("acllog-max-len")))
        config.line_sources["user"] = self.config_lines

    # --- who a client is -------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether anybody who can connect is the default user."""
        user = self.users[DEFAULT_USER]
        return user.enabled and user.no_password

    def welcome(self, client: Client) -> None:
        """Make a client the default user, who has to authenticate if there is a password."""
        self._become(client, self.users[DEFAULT_USER])
        client.authenticated = self.is_open

    def knows(self, name: bytes) -> bool:
        """Whether there is a user of this name."""
        return name in self.users

    def user_of(self, client: Client) -> User:
        """The user a client is."""
        return self.users[client.user.encode("utf-8", "surrogateescape")]

    def _become(self, client: Client, user: User) -> None:
        client.user = printable(user.name)
        client.set_attention(attention.RESTRICTED, not user.is_unrestricted)

    def log_in(self, client: Client, name: bytes, password: bytes) -> None:
        """Make a client a user; raises WRONGPASS. A client that fails stays who it was."""
        user = self.users.get(name)
        if user is None or not user.enabled or not is_right(user, password):
            spec = client.last_command
            subject = spec.name.upper().encode() if spec is not None else b"AUTH"
            self._note(client, "auth", subject, name)
            raise ReplyError(WRONG_PASS)
        self._become(client, user)
        client.authenticated = True

    def log_in_without_name(self, client: Client, password: bytes) -> None:
        """The same as the default user, which makes sense only if it has a password."""
        if self.users[DEFAULT_USER].no_password:
            raise ReplyError(NO_PASSWORD)
        self.log_in(client, DEFAULT_USER, password)

    # --- what it may do --------------------------------------------------------------------------

    def refusal(self, client: Client, spec: CommandSpec, argv: Sequence[bytes]) -> Denial | None:
        """What stands against a request of a client; not noted anywhere."""
        if not client.attention & attention.RESTRICTED:
            return None
        return judge(self.user_of(client), spec, argv)

    def may_read_all(self, client: Client, spec: CommandSpec, argv: Sequence[bytes]) -> bool:
        """Whether a client that sends this request may read keys that it does not name."""
        if not client.attention & attention.RESTRICTED:
            return True
        return may_read_all(self.user_of(client), spec, argv)

    def permit(
        self, client: Client, spec: CommandSpec, argv: Sequence[bytes], context: str = ""
    ) -> Denial | None:
        """None to let a command pass, or its refusal, which has been noted.

        `context` is "lua", "module" or "multi" for commands that are no requests of their own.
        """
        denial = self.refusal(client, spec, argv)
        if denial is not None:
            self._note(client, denial.reason, denial.subject, denial.user, context)
        return denial

    def _permit(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        denial = self.permit(client, spec, argv)
        if denial is not None:
            raise ReplyError(denial.text)
        return None

    def may_read_every_key(self, client: Client) -> bool:
        """Whether SORT may look at keys that no argument names."""
        if not client.attention & attention.RESTRICTED:
            return True
        user = self.user_of(client)
        return any(one.all_keys or one.allows_key(b"*", 1) for one in user.every_selector())

    def may_read(self, client: Client, keys: Iterable[bytes]) -> bool:
        """Whether a client may read all these keys, whatever the command that comes upon them."""
        if not client.attention & attention.RESTRICTED:
            return True
        selectors = list(self.user_of(client).every_selector())
        return all(any(one.allows_key(key, READ) for one in selectors) for key in keys)

    def _note(
        self, client: Client, reason: str, subject: bytes, user: bytes, context: str = ""
    ) -> None:
        """Count a refusal, and keep it for ACL LOG."""
        self._stats.extra[DENIED[reason]] += 1
        context = context or ("toplevel" if client.queue is None else "multi")
        line = self._clients.describe(client)
        self.log.add(reason, context, subject, user, line, self._engine.clock.now_ms)

    # --- users -----------------------------------------------------------------------------------

    def _default_user(self) -> User:
        user = User(DEFAULT_USER)
        for rule in (b"on", b"nopass", b"allkeys", b"allchannels", b"allcommands"):
            user.apply(rule, self._commands, all_channels=True)
        return user

    def _new_user(self, name: bytes) -> User:
        user = User(name)
        user.root.all_channels = self._all_channels
        return user

    @property
    def _all_channels(self) -> bool:
        return bool(self._config.get("acl-pubsub-default") == "allchannels")

    def _take_password(self, config: Config) -> None:
        """`requirepass` is the default user's password."""
        user = self.users[DEFAULT_USER]
        password = config.get("requirepass")
        user.passwords = [hashed(encode(password))] if password else []
        user.no_password = not password

    def set_user(self, name: bytes, rules: Iterable[bytes], by: Client | None = None) -> None:
        """Create or change a user; all rules hold, or none. Raises ReplyError.

        Of those that disconnect clients, `by` is the one that asked and still gets its reply.
        """
        if b" " in name or b"\0" in name:
            raise ReplyError("ERR Usernames can't contain spaces or null characters")
        try:
            words = joined(rules)
        except BadRule as error:
            raise ReplyError(f"ERR {error}") from None
        old = self.users.get(name)
        user = old.copy() if old is not None else self._new_user(name)
        for rule in words:
            try:
                user.apply(rule, self._commands, all_channels=self._all_channels)
            except BadRule as error:
                raise ReplyError(
                    f"ERR Error in ACL SETUSER modifier '{printable(rule)}': {error}"
                ) from None
        self.users[name] = user
        self._tell_clients(user, by)

    def _tell_clients(self, user: User, by: Client | None) -> None:
        """Clients of a user that has changed go by the new rules."""
        for client in list(self._engine.clients.values()):
            if client.user != printable(user.name):
                continue
            client.set_attention(attention.RESTRICTED, not user.is_unrestricted)
            if client.subscriptions and not may_keep_listening(user, client):
                self._disconnect(client, by)

    def delete_user(self, name: bytes, by: Client | None = None) -> bool:
        """Delete a user and disconnect its clients; whether there was one."""
        if name == DEFAULT_USER:
            raise ReplyError("ERR The 'default' user cannot be removed")
        if self.users.pop(name, None) is None:
            return False
        for client in list(self._engine.clients.values()):
            if client.user == printable(name):
                self._disconnect(client, by)
        return True

    def _disconnect(self, client: Client, by: Client | None) -> None:
        """Disconnect now, or the one that has brought it about after its reply."""
        self._become(client, self.users[DEFAULT_USER])
        if client is by:
            client.closing = True
        else:
            self._engine.close(client, at_once=True)

    def lines(self) -> Iterator[bytes]:
        """All users as ACL LIST and files have them, by name."""
        for name, user in sorted(self.users.items()):
            yield b"user %s %s" % (name, user.describe())

    # --- files -----------------------------------------------------------------------------------

    def load_at_start(self) -> None:
        """Take the users of the configuration, or of the file it names. Raises StartRefused."""
        if self._config.get("aclfile"):
            if self._config.users:
                raise StartRefused(TWO_SOURCES)
            try:
                self.load()
            except ReplyError as error:
                raise StartRefused(
                    f"Aborting Redis startup because of ACL errors: {error.text[4:]}"
                ) from None
            return
        for directive in self._config.users:
            self._take_directive(directive)

    def _take_directive(self, directive: Directive) -> None:
        name, *rules = (encode(word) for word in directive.words[1:])
        user = self._new_user(name)
        if name == DEFAULT_USER:
            user = self._default_user()
            user.reset(all_channels=self._all_channels)
        try:
            for rule in joined(rules):
                user.apply(rule, self._commands, all_channels=self._all_channels)
        except BadRule as error:
            raise StartRefused(
                f"{directive.where}: Error in user declaration '{directive.words[1]}': {error}"
            ) from None
        self.users[name] = user

    def load(self, by: Client | None = None) -> None:
        """Take the users of the ACL file in place of all others. Raises ReplyError; then nothing
        has changed.
        """
        path = self._path()
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ReplyError(
                f"ERR Error loading ACLs, opening file '{path}': {error.strerror}"
            ) from None
        users, errors = self._read(text, str(path))
        if errors:
            raise ReplyError(f"ERR {' '.join(errors)}")
        users.setdefault(DEFAULT_USER, self._default_user())
        old, self.users = self.users, users
        for client in list(self._engine.clients.values()):
            name = client.user.encode("utf-8", "surrogateescape")
            new = users.get(name)
            if new is None or new.describe() != old[name].describe():
                self._disconnect(client, by)
            else:
                self._become(client, new)

    def _read(self, text: bytes, path: str) -> tuple[dict[bytes, User], list[str]]:
        """The users in a file, and what is wrong with its lines."""
        users: dict[bytes, User] = {}
        errors = []
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith(b"#"):
                continue
            where = f"{path}:{number}:"
            if words[0].lower() != b"user" or len(words) < 2:
                errors.append(
                    f"{where} line should start with user keyword. WARNING: ACL errors detected, "
                    "no change to the previously active ACL rules was performed"
                )
                continue
            if words[1] in users:
                errors.append(f"{where} WARNING: Duplicate user '{printable(words[1])}' found.")
                continue
            user = users[words[1]] = self._new_user(words[1])
            try:
                for rule in joined(words[2:]):
                    user.apply(rule, self._commands, all_channels=self._all_channels)
            except BadRule as error:
                errors.append(
                    f"{where} {error}. WARNING: ACL errors detected, no change to the previously "
                    "active ACL rules was performed"
                )
        return users, errors

    def save(self) -> None:
        """Write all users to the ACL file. Raises ReplyError."""
        path = self._path()
        text = b"".join(line + b"\n" for line in self.lines())
        try:
            replace_file(str(path), text.decode("utf-8", "surrogateescape"))
        except OSError as error:
            self._server_log.warning(f"Saving ACL file {path}: {error.strerror}")
            raise ReplyError(
                "ERR There was an error trying to save the ACLs. Please check the server logs for "
                "more information"
            ) from None

    def _path(self) -> Path:
        name = self._config.get("aclfile")
        if not name:
            raise ReplyError(NO_FILE)
        return Path(self._config.get("dir"), name)

    def config_lines(self) -> list[str]:
        """The lines `user` for the configuration file; none if there is an ACL file."""
        if self._config.get("aclfile"):
            return []
        return [line.decode("utf-8", "surrogateescape") for line in self.lines()]


def is_right(user: User, password: bytes) -> bool:
    """Whether this is one of the user's passwords; how long it takes tells nothing of it."""
    given = hashed(password)
    found = [hmac.compare_digest(given, one) for one in user.passwords]
    return user.no_password or any(found)


def may_keep_listening(user: User, client: Client) -> bool:
    """Whether one of the user's selectors allows all that a client is subscribed to."""
    for selector in user.every_selector():
        plain = (*client.channels, *client.shard_channels)
        if all(selector.allows_channel(one, is_pattern=False) for one in plain) and all(
            selector.allows_channel(one, is_pattern=True) for one in client.patterns
        ):
            return True
    return False
