"""OBJECT ENCODING of strings: "embstr" and "raw" at the very lengths of Redis 8.2.

Redis keeps a short string in one block with its key and its expiry time, if it has one; so whether
it is "embstr" depends on all three, and on what was there before.
"""

import pytest

from balas.testing import Both

# Commands that bring the key "k..." into being with the value "v...".
HISTORIES = {
    "set": ["SET K V"],
    "set with an expiry time": ["SET K V EX 100"],
    "set, then to expire": ["SET K V", "EXPIRE K 100"],
    "no longer to expire": ["SET K V EX 100", "PERSIST K"],
    "to expire again": ["SET K V EX 100", "PERSIST K", "GETEX K EX 10"],
    "overwritten": ["SET K x EX 100", "SET K V"],
    "overwritten, to expire still": ["SET K x EX 100", "SET K V KEEPTTL"],
    "overwritten, to expire anew": ["SET K x EX 100", "SET K V EX 100"],
    "overwritten, to expire now": ["SET K x", "SET K V EX 100"],
    "once to expire, and overwritten": ["SET K x EX 100", "PERSIST K", "SET K V KEEPTTL"],
    "swapped": ["SET K x EX 100", "GETSET K V"],
    "appended to nothing": ["APPEND K V"],
    "one of many": ["MSETNX K V"],
    "in place of a number": ["SET K 1 EX 100", "SET K V KEEPTTL"],
    "copied": ["SET z V", "COPY z K"],
    "copied with an expiry time": ["SET z V EX 100", "COPY z K"],
    "copied from a long key": [f"SET {'z' * 60} V", f"COPY {'z' * 60} K"],
    "renamed": ["SET z V", "RENAME z K"],
    "renamed with an expiry time": ["SET z V EX 100", "RENAME z K"],
    "renamed from a long key": [f"SET {'z' * 60} V", f"RENAME {'z' * 60} K"],
    "renamed, no longer to expire": ["SET z V EX 100", "PERSIST z", "RENAME z K"],
    "moved": ["SET K V", "MOVE K 1", "SELECT 1"],
    "moved with an expiry time": ["SET K V EX 100", "MOVE K 1", "SELECT 1"],
    "moved, no longer to expire": ["SET K V EX 100", "PERSIST K", "MOVE K 1", "SELECT 1"],
}
KEY_SIZES = [1, 10, 31, 32, 36, 41, 42]
# Around where key, value and expiry time fill the block; lengths of values follow from those.
FILLINGS = [32, 33, 34, 39, 40, 41, 42, 45]


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_short_strings_are_embedded_as_in_redis(history: list[str], both: Both) -> None:
    for key_size in KEY_SIZES:
        for value_size in {filling - key_size for filling in FILLINGS if filling > key_size}:
            key, value = "k" * key_size, "v" * value_size
            both("SELECT", "0")
            both("FLUSHALL")
            for line in history:
                both(*line.replace("K", key, 1).replace("V", value, 1).split())
            both("OBJECT", "ENCODING", key)
            both("GET", key)


@pytest.mark.parametrize(
    "lines",
    [
        ["SET k 12", "APPEND k 3", "OBJECT ENCODING k", "INCR k", "OBJECT ENCODING k"],
        ["SET k 12", "SETRANGE k 0 9", "OBJECT ENCODING k", "COPY k j", "OBJECT ENCODING j"],
        ["INCRBYFLOAT k 3", "OBJECT ENCODING k", "COPY k j", "OBJECT ENCODING j"],
        ["INCRBYFLOAT k 3", "RENAME k j", "OBJECT ENCODING j", "INCRBY j 1", "OBJECT ENCODING j"],
        ["SET k 9223372036854775807", "OBJECT ENCODING k"],
        ["SET k 9223372036854775808", "OBJECT ENCODING k"],
        ["SET k -9223372036854775808", "OBJECT ENCODING k"],
        ["SET k 007", "OBJECT ENCODING k", "SET k -0", "OBJECT ENCODING k"],
        ["SETRANGE k 20 x", "OBJECT ENCODING k", "SET k x", "OBJECT ENCODING k"],
        [f"APPEND k {'1' * 18}", "OBJECT ENCODING k", f"APPEND k {'1' * 300}", "OBJECT ENCODING k"],
    ],
    ids=lambda lines: lines[0],
)
def test_the_encoding_tells_how_a_string_was_made(lines: list[str], both: Both) -> None:
    for line in lines:
        both(*line.split())
