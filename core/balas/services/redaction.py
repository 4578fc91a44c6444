"""What must not be shown of a command, in the slow log or to a monitor: passwords and users."""

from __future__ import annotations

from collections.abc import Sequence

from balas.registry.spec import CommandSpec

HIDDEN = b"(redacted)"
SECRET_OPTIONS = frozenset(
    (
        b"masterauth",
        b"masteruser",
        b"primaryauth",
        b"primaryuser",
        b"requirepass",
        b"tls-client-key-file-pass",
        b"tls-key-file-pass",
    )
)
# After these words so many arguments are secret.
SECRETS_AFTER = {
    "hello": {b"auth": 2},
    "migrate": {b"auth": 1, b"auth2": 2},
}
# From this place on everything is secret.
SECRET_FROM = {"auth": 1, "acl|setuser": 2, "acl|getuser": 2, "acl|deluser": 2}


def redacted(spec: CommandSpec, argv: Sequence[bytes]) -> Sequence[bytes]:
    """The words of a command with what is secret replaced; `argv` itself if nothing is."""
    places = secret_places(spec.name, argv)
    if not places:
        return argv
    return [HIDDEN if place in places else word for place, word in enumerate(argv)]


def secret_places(name: str, argv: Sequence[bytes]) -> set[int]:
    """The indexes of the secret words of a command."""
    if name in SECRET_FROM:
        return set(range(SECRET_FROM[name], len(argv)))
    if name == "config|set":
        return {i + 1 for i in range(2, len(argv), 2) if argv[i].lower() in SECRET_OPTIONS}
    found: set[int] = set()
    if name in SECRETS_AFTER:
        for place, word in enumerate(argv):
            secrets = SECRETS_AFTER[name].get(word.lower(), 0)
            if place + secrets < len(argv) and place not in found:
                found.update(range(place + 1, place + 1 + secrets))
    return found
