"""ClamAV's signatures, one a line; the suffix of the file says of which kind.

Source: https://docs.clamav.net/manual/Signatures.html. An identity is the suffix and the name of
the signature: `ndb:Eicar-Test`. Lines of kinds whose fields are not read are rules whose changes
have no known effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage
from pipelines.rules.languages.rule_text import text_of
from pipelines.rules.rule import Bound, Language, Pattern, Rule, make_rule

_HASHES = ("hdb", "hsb", "hdu", "hsu", "fp", "sfp")
_SECTIONS = ("mdb", "msb", "mdu", "msu", "imp")
_BODIES = ("ndb", "ndu", "sdb")
_LOGICAL = ("ldb", "ldu")
_CONTAINERS = ("cdb",)
_IGNORED = ("ign", "ign2")
_OTHERS = ("cbc", "crb", "ftm", "gdb", "idb", "pdb", "pwdb", "wdb", "db", "rmd", "zmd")
_ALLOWING = frozenset({"fp", "sfp", "wdb"})
"""What these files list is not detected."""
_DETECTING = (*_HASHES[:4], *_SECTIONS, *_BODIES, *_LOGICAL, *_CONTAINERS, "db")
_KINDS = frozenset((*_DETECTING, *_ALLOWING, *_IGNORED, *_OTHERS))
_DIGESTS = {32: "md5", 40: "sha1", 64: "sha256"}
_SHARED = frozenset({"cdb", "crb", "db", "ftm", "idb", "imp", "mdb", "pdb", "rmd", "zmd"})
"""Suffixes that binary files of other programs have, too."""
_HEAD = 1 << 16
_MOST_LINE = 1 << 20

Facts = dict[str, object]


def _is_rule_file(path: str, data: bytes) -> bool:
    suffix = _suffix(path)
    if suffix not in _KINDS:
        return False
    if suffix == "cbc":
        return data.startswith(b"ClamBC")
    return suffix not in _SHARED or b"\0" not in data[:_HEAD]


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower() if "." in path else ""


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    kind = _suffix(path)
    if kind == "cbc":
        yield _whole(path, data)
        return
    for number, raw in enumerate(data.split(b"\n"), start=1):
        line = raw.strip()
        if not line or line.startswith(b"#"):
            continue
        if len(line) > _MOST_LINE:
            yield RuleFault(file=path, line=number, what=f"longer than {_MOST_LINE} bytes")
            continue
        text = text_of(line)
        try:
            name, logic, facts = _READERS.get(kind, _other)(kind, text)
        except (ValueError, LookupError):
            yield RuleFault(file=path, line=number, what=f"not a line of a file .{kind}")
            continue
        yield make_rule(
            language=Language.CLAMAV,
            identity=f"{kind}:{name}",
            file=path,
            line=number,
            text=raw,
            normalized=f"{kind}:{name}:{logic}",
            logic=f"{kind}:{logic}",
            name=name,
            **facts,
        )


def _whole(path: str, data: bytes) -> Rule:
    """Return the one rule of a file of bytecode, whose code is not read."""
    name = path.rpartition("/")[2]
    body = data.decode("latin-1")
    return make_rule(
        language=Language.CLAMAV, identity=f"cbc:{name}", file=path, line=1, text=data,
        normalized=body, logic=body, name=name,
    )  # fmt: skip


def _hash(kind: str, line: str) -> tuple[str, str, Facts]:
    """`HASH:SIZE:NAME[:LEVEL]`."""
    digest, size, name, *levels = line.split(":")
    facts = _digest(digest, size)
    if kind in _ALLOWING:
        facts["exclusions"] = (f"{digest}:{size}",)
    return name, _joined(digest.lower(), size, *levels), _levelled(facts, levels)


def _section(_kind: str, line: str) -> tuple[str, str, Facts]:
    """`SIZE:HASH:NAME[:LEVEL]` of a section of a program."""
    size, digest, name, *levels = line.split(":")
    if len(size) in _DIGESTS:  # .imp: the hash of a table of imports comes first
        size, digest = digest, size
    facts: Facts = {**_digest(digest, size), "scope": ("section",)}
    return name, _joined(size, digest.lower(), *levels), _levelled(facts, levels)


def _digest(digest: str, size: str) -> Facts:
    algorithm = _DIGESTS[len(digest)]
    int(digest, 16)
    facts: Facts = {"patterns": (Pattern(name="0", value=f"{algorithm}:{digest.lower()}"),)}
    if size != "*":
        facts["bounds"] = {"size": Bound(lowest=int(size), highest=int(size))}
    return facts


def _body(_kind: str, line: str) -> tuple[str, str, Facts]:
    """`NAME:TARGET:OFFSET:HEX[:MIN[:MAX]]`."""
    name, target, offset, code, *levels = line.split(":")
    code = _code(code)
    pattern = Pattern(name="0", value=code, modifiers=(f"offset={offset}",))
    facts: Facts = {"patterns": (pattern,), "scope": (f"target:{int(target)}",)}
    return name, _joined(target, offset, code, *levels), _levelled(facts, levels)


def _logical(_kind: str, line: str) -> tuple[str, str, Facts]:
    """`NAME;DESCRIPTION;EXPRESSION;SUBSIGNATURE...`."""
    name, description, expression, *parts = line.split(";")
    if not parts:
        raise ValueError(line)
    patterns = tuple(
        Pattern(name=str(number), value=_code(value), modifiers=modifiers)
        for number, part in enumerate(parts)
        for value, modifiers in [_subsignature(part)]
    )
    scope, bounds = [], {}
    for item in filter(None, description.split(",")):
        key, _, value = item.partition(":")
        if key in {"Engine", "FileSize", "EntryPoint", "NumberOfSections"}:
            bounds[key] = _range(value)
        else:
            scope.append(item)
    logic = _joined(
        ",".join(sorted(description.split(","))), expression, *(repr(p) for p in patterns)
    )
    facts: Facts = {
        "condition": expression,
        "patterns": patterns,
        "scope": tuple(sorted(scope)),
        "bounds": bounds,
    }
    return name, logic, facts


def _subsignature(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the code of a part of a logical signature, and its offset and modifiers."""
    if "/" in text:  # a regular expression or a byte comparison
        return text, ()
    code, _, flags = text.partition("::")
    offset, colon, rest = code.partition(":")
    modifiers = [f"offset={offset}"] if colon else []
    return (rest if colon else code), (*modifiers, *sorted(flags))


def _container(_kind: str, line: str) -> tuple[str, str, Facts]:
    """`NAME:TYPE:SIZE:FILE:PACKED:REAL:ENCRYPTED:POSITION:RES1:RES2[:MIN[:MAX]]`."""
    name, container, size, file, packed, real, encrypted, position, *rest = line.split(":")
    sizes = {"container": size, "packed": packed, "unpacked": real, "position": position}
    facts: Facts = {
        "scope": (f"container:{container}", f"encrypted:{encrypted}"),
        "patterns": (Pattern(name="0", value=file),),
        "bounds": {key: _range(value) for key, value in sizes.items() if value != "*"},
    }
    logic = _joined(container, size, file, packed, real, encrypted, position, *rest)
    return name, logic, _levelled(facts, rest[2:])


def _ignored(kind: str, line: str) -> tuple[str, str, Facts]:
    """`NAME[:MD5]` (.ign2), or `DATABASE:LINE:NAME` (.ign): a signature that is passed over."""
    parts = line.split(":")
    name = parts[2] if kind == "ign" else parts[0]
    return name, line, {"disables": tuple(f"{one}:{name}" for one in _DETECTING)}


def _other(kind: str, line: str) -> tuple[str, str, Facts]:
    name, equals, _ = line.partition("=" if kind == "db" else ":")
    if kind in {"gdb", "pdb", "wdb", "ftm", "crb"} or not equals:
        name = line
    return name[:200], line, {"exclusions": (line,)} if kind in _ALLOWING else {}


def _code(text: str) -> str:
    return text if "/" in text or "::" in text else text.lower()


def _range(text: str) -> Bound:
    """Read `LOW-HIGH`, or one number."""
    low, dash, high = text.partition("-")
    return Bound(
        lowest=int(low) if low else None,
        highest=(int(high) if high else None) if dash else int(low),
    )


def _levelled(facts: Facts, levels: list[str]) -> Facts:
    """Add the levels of the engine for which a signature holds to its bounds."""
    low, high = (int(levels[n]) if len(levels) > n and levels[n] else None for n in (0, 1))
    if low is None and high is None:
        return facts
    known = facts.get("bounds")
    bounds = known if isinstance(known, dict) else {}
    return {**facts, "bounds": {**bounds, "level": Bound(lowest=low, highest=high)}}


def _joined(*parts: str) -> str:
    return ":".join(parts)


_READERS: dict[str, Callable[[str, str], tuple[str, str, Facts]]] = {
    **dict.fromkeys(_HASHES, _hash),
    **dict.fromkeys(_SECTIONS, _section),
    **dict.fromkeys(_BODIES, _body),
    **dict.fromkeys(_LOGICAL, _logical),
    **dict.fromkeys(_CONTAINERS, _container),
    **dict.fromkeys(_IGNORED, _ignored),
}

LANGUAGE = RuleLanguage(name=Language.CLAMAV, is_rule_file=_is_rule_file, read_rules=_read_rules)
