"""What texts some options refuse: each check returns the reason in Redis's words, or None."""

import re

from balas.services.config.kinds import TextCheck

# Words in braces that a process title may hold.
TITLE_WORDS = frozenset(
    {"title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"}
)
HOST_NAME_LENGTH_MAX = 255

_BRACES = re.compile(r"\{\{|\{([^{}]*)\}|\{")
_HOST_NAME = re.compile(r"[A-Za-z0-9.-]*")
_NODE_NAME = re.compile(r"[^]!#$%&()*+:;<>?@[^{|}~]*")


def title_template(text: str) -> str | None:
    """Refuse an unknown word in braces, an open brace, and what would be an empty title."""
    fine = True

    def fill(match: re.Match[str]) -> str:
        nonlocal fine
        word = match[1]
        fine = fine and (match[0] == "{{" or word in TITLE_WORDS)
        return "" if word == "title" else match[0]

    filled = _BRACES.sub(fill, text)
    if filled.strip() and fine:
        return None
    return "template format is invalid or contains unknown variables"


def plain_name(option: str, noun: str, may_be_empty: bool = False) -> TextCheck:
    """A check that refuses a path where only a name in `dir` makes sense."""

    def check(text: str) -> str | None:
        if not text and not may_be_empty:
            return f"{option} can't be empty"
        if "/" in text or "\\" in text:
            return f"{option} can't be a path, just a {noun}"
        return None

    return check


def host_name(text: str) -> str | None:
    """Refuse what cannot be the name of a host."""
    if len(text) > HOST_NAME_LENGTH_MAX:
        return f"Hostnames must be less than {HOST_NAME_LENGTH_MAX + 1} characters"
    if not _HOST_NAME.fullmatch(text):
        return "Hostnames may only contain alphanumeric characters, hyphens or dots"
    return None


def node_name(text: str) -> str | None:
    """Refuse the characters that a cluster's node table could not hold."""
    if not _NODE_NAME.fullmatch(text):
        return "Announced human node name contained invalid character"
    return None
