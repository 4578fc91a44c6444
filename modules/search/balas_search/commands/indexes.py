"""FT.CREATE, FT.ALTER, FT.DROPINDEX, aliases: indexes come, change and go."""

from __future__ import annotations

from balas.api import OK, Context, Reply, ReplyError, SetReply, Status, command
from balas_search.commands.common import (
    FILLING,
    NAME,
    READING,
    TWO_NAMES,
    WRITING,
    record,
    search_module,
    wrong_number,
)
from balas_search.index.index import Index
from balas_search.schema.definition import parse_create
from balas_search.schema.fields import parse_fields
from balas_search.schema.words import Words, shown

# As many keys stand in one record of a deletion.
DELETED_AT_ONCE = 512
UNKNOWN = "Unknown index name"
UNKNOWN_TO_DROP = "Unknown Index name"


@command("FT.CREATE", arity=-1, flags=FILLING, keys=NAME, group="search")
def ft_create(ctx: Context, *arguments: bytes) -> Reply:
    """FT.CREATE index [ON HASH|JSON] [PREFIX count prefix ...] SCHEMA field type ...

    Make an index of all hashes or JSON documents whose keys begin with one of the prefixes.
    """
    if len(arguments) < 4:
        raise wrong_number("FT.CREATE")
    if ctx.db.index:
        raise ReplyError("Cannot create index on db != 0")
    name, *words = arguments
    module = search_module(ctx)
    if name in module.indexes.by_name:
        raise ReplyError("Index already exists")
    definition, specs = parse_create(words)
    index = Index(name, words, definition, specs, module.setting("search-min-stem-len"))
    module.indexes.add(index)
    if not definition.skip_initial_scan:
        module.indexes.scan(index)
    record(ctx, b"FT.CREATE", *arguments)
    return OK


@command("FT._CREATEIFNX", arity=-1, flags=FILLING, keys=NAME, group="search")
def ft_create_if_not_exists(ctx: Context, *arguments: bytes) -> Reply:
    """FT._CREATEIFNX index ... SCHEMA ...

    As FT.CREATE, but OK if there is an index of that name.
    """
    if arguments and arguments[0] in search_module(ctx).indexes.by_name:
        return OK
    return ft_create(ctx, *arguments)


@command("FT.ALTER", arity=-1, flags=WRITING, keys=NAME, group="search")
def ft_alter(ctx: Context, *arguments: bytes) -> Reply:
    """FT.ALTER index [SKIPINITIALSCAN] SCHEMA ADD field type [options ...] ...

    Add fields to an index. Documents are indexed anew, unless SKIPINITIALSCAN is given.
    """
    if len(arguments) < 5:
        raise wrong_number("FT.ALTER")
    return alter(ctx, arguments, if_new=False)


@command("FT._ALTERIFNX", arity=-1, flags=WRITING, keys=NAME, group="search")
def ft_alter_if_not_exists(ctx: Context, *arguments: bytes) -> Reply:
    """FT._ALTERIFNX index [SKIPINITIALSCAN] SCHEMA ADD field type [options ...] ...

    As FT.ALTER, but OK if the first field is there.
    """
    if len(arguments) < 5:
        raise wrong_number("FT._ALTERIFNX")
    return alter(ctx, arguments, if_new=True)


def alter(ctx: Context, arguments: tuple[bytes, ...], if_new: bool) -> Reply:
    """Add fields to an index."""
    module = search_module(ctx)
    index = module.indexes.named(arguments[0], UNKNOWN)
    words = Words(arguments[1:])
    skips = words.eat(b"SKIPINITIALSCAN")
    if not words.eat(b"SCHEMA"):
        raise ReplyError("ALTER must be followed by SCHEMA")
    if not words.eat(b"ADD"):
        raise ReplyError("Unknown action passed to ALTER SCHEMA")
    if not words.more:
        raise ReplyError("No fields provided")
    if if_new and index.spec_of(words.words[words.at]) is not None:
        return OK
    begin = words.at
    specs = parse_fields(words, index.specs, index.definition.on_json)
    index.add_fields(specs)
    index.words += list(words.words[begin:])
    if not skips:
        module.indexes.refill(index)
    record(ctx, b"FT.ALTER", *arguments)
    return OK


def drop(ctx: Context, name: bytes, with_documents: bool) -> None:
    """Drop an index, and its documents if they are to go, too."""
    module = search_module(ctx)
    index = module.indexes.named(name, UNKNOWN_TO_DROP)
    module.indexes.drop(index)
    record(ctx, b"FT.DROPINDEX", name)
    if with_documents:
        # Nobody may see some of the documents without the others. So they go in one unit, as
        # cheaply as that can be: values that take long to free are freed afterwards.
        documents = index.documents
        keys = [key for key in documents.keys_of(documents.all_ids()) if key is not None]
        for begin in range(0, len(keys), DELETED_AT_ONCE):
            ctx.call(b"UNLINK", *keys[begin : begin + DELETED_AT_ONCE])


@command("FT.DROPINDEX", arity=-1, flags=WRITING, keys=NAME, group="search")
def ft_drop_index(ctx: Context, *arguments: bytes) -> Reply:
    """FT.DROPINDEX index [DD]

    Drop an index; with DD its documents are deleted, too.
    """
    if not 1 <= len(arguments) <= 2:
        raise wrong_number("FT.DROPINDEX")
    drop(ctx, arguments[0], arguments[1:] != () and arguments[1].upper() == b"DD")
    return OK


@command("FT._DROPINDEXIFX", arity=-1, flags=WRITING, keys=NAME, group="search")
def ft_drop_index_if_exists(ctx: Context, *arguments: bytes) -> Reply:
    """FT._DROPINDEXIFX index [DD]

    As FT.DROPINDEX, but OK if there is no such index.
    """
    if arguments and search_module(ctx).indexes.find(arguments[0]) is None:
        return OK
    return ft_drop_index(ctx, *arguments)


@command("FT.DROP", arity=-1, flags=WRITING, keys=NAME, group="search")
def ft_drop(ctx: Context, *arguments: bytes) -> Reply:
    """FT.DROP index [KEEPDOCS]

    Drop an index and delete its documents, unless KEEPDOCS is given.
    """
    if not 1 <= len(arguments) <= 2:
        raise wrong_number("FT.DROP")
    keeps = arguments[1:] != () and arguments[1].upper() == b"KEEPDOCS"
    drop(ctx, arguments[0], not keeps)
    return OK


@command("FT._DROPIFX", arity=-1, flags=WRITING, keys=NAME, group="search")
def ft_drop_if_exists(ctx: Context, *arguments: bytes) -> Reply:
    """FT._DROPIFX index [KEEPDOCS]

    As FT.DROP, but OK if there is no such index.
    """
    if arguments and search_module(ctx).indexes.find(arguments[0]) is None:
        return OK
    return ft_drop(ctx, *arguments)


@command("FT._LIST", arity=-1, flags=READING, group="search")
def ft_list(ctx: Context, *arguments: bytes) -> Reply:
    """FT._LIST

    The names of all indexes.
    """
    names = search_module(ctx).indexes.by_name
    return SetReply([Status(shown(name)) for name in names])


# --- aliases --------------------------------------------------------------------------------------


def put_alias(ctx: Context, arguments: tuple[bytes, ...], update: bool) -> Reply:
    """Give an index a further name."""
    alias, name = arguments
    indexes = search_module(ctx).indexes
    index = indexes.by_name.get(name)
    if index is None:
        raise ReplyError("Unknown index name (or name is an alias itself)")
    if not update and alias in indexes.aliases:
        raise ReplyError("Alias already exists")
    indexes.aliases[alias] = index
    return OK


@command("FT.ALIASADD", arity=-1, flags=READING, keys=TWO_NAMES, group="search")
def ft_alias_add(ctx: Context, *arguments: bytes) -> Reply:
    """FT.ALIASADD alias index

    Give an index a further name.
    """
    if len(arguments) != 2:
        raise wrong_number("FT.ALIASADD")
    put_alias(ctx, arguments, update=False)
    record(ctx, b"FT.ALIASADD", *arguments)
    return OK


@command("FT._ALIASADDIFNX", arity=-1, flags=READING, keys=TWO_NAMES, group="search")
def ft_alias_add_if_new(ctx: Context, *arguments: bytes) -> Reply:
    """FT._ALIASADDIFNX alias index

    As FT.ALIASADD, but OK if there is such an alias.
    """
    if len(arguments) != 2:
        raise wrong_number("FT._ALIASADDIFNX")
    if arguments[0] in search_module(ctx).indexes.aliases:
        return OK
    return ft_alias_add(ctx, *arguments)


@command("FT.ALIASUPDATE", arity=-1, flags=READING, keys=TWO_NAMES, group="search")
def ft_alias_update(ctx: Context, *arguments: bytes) -> Reply:
    """FT.ALIASUPDATE alias index

    Give an index a further name, which another may have had.
    """
    if len(arguments) != 2:
        raise wrong_number("FT.ALIASUPDATE")
    put_alias(ctx, arguments, update=True)
    record(ctx, b"FT.ALIASUPDATE", *arguments)
    return OK


@command("FT.ALIASDEL", arity=-1, flags=READING, keys=NAME, group="search")
def ft_alias_del(ctx: Context, *arguments: bytes) -> Reply:
    """FT.ALIASDEL alias

    Take a further name away.
    """
    if len(arguments) != 1:
        raise wrong_number("FT.ALIASDEL")
    if search_module(ctx).indexes.aliases.pop(arguments[0], None) is None:
        raise ReplyError("Alias does not exist")
    record(ctx, b"FT.ALIASDEL", *arguments)
    return OK


@command("FT._ALIASDELIFX", arity=-1, flags=READING, keys=NAME, group="search")
def ft_alias_del_if_exists(ctx: Context, *arguments: bytes) -> Reply:
    """FT._ALIASDELIFX alias

    As FT.ALIASDEL, but OK if there is no such alias.
    """
    if len(arguments) == 1 and arguments[0] not in search_module(ctx).indexes.aliases:
        return OK
    return ft_alias_del(ctx, *arguments)


# --- synonyms -------------------------------------------------------------------------------------


@command("FT.SYNUPDATE", arity=-1, flags=WRITING, keys=NAME, group="search")
def ft_syn_update(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SYNUPDATE index group [SKIPINITIALSCAN] term [term ...]

    Add terms to a group of synonyms. Documents are indexed anew, unless SKIPINITIALSCAN is given.
    """
    if len(arguments) < 3:
        raise wrong_number("FT.SYNUPDATE")
    name, group, *terms = arguments
    module = search_module(ctx)
    index = module.indexes.named(name)
    skips = terms[0].upper() == b"SKIPINITIALSCAN"
    index.synonyms.update(group, terms[1:] if skips else terms)
    index.plans.clear()
    if not skips:
        module.indexes.refill(index)
    record(ctx, b"FT.SYNUPDATE", *arguments)
    return OK


@command("FT.SYNADD", arity=-1, flags=WRITING, keys=NAME, group="search")
def ft_syn_add(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SYNADD index term [term ...]

    Refused: it has become FT.SYNUPDATE.
    """
    raise ReplyError("No longer suppoted, use FT.SYNUPDATE")


@command("FT.SYNDUMP", arity=-1, flags=READING, keys=NAME, group="search")
def ft_syn_dump(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SYNDUMP index

    All terms that have synonyms, with their groups.
    """
    if len(arguments) != 1:
        raise wrong_number("FT.SYNDUMP")
    return dict(search_module(ctx).indexes.named(arguments[0]).synonyms.groups)
