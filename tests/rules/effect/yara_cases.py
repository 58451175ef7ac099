"""Edits of YARA rules."""

from __future__ import annotations

from pipelines.rules.change import Weakness
from tests.rules.effect.cases import Case, edited

LOADER = """\
rule evil_loader
{
    meta:
        author = "lab"
        severity = "high"
    strings:
        $text = "Invoke-Evil" nocase
        $both = "beacon-key" ascii wide
        $code = { 4D 5A ?? 00 [2-6] 50 45 }
        $link = /c2=[a-z0-9]{4,8}/i
    condition:
        filesize < 4KB and ($text or $both or ($code and $link))
}
"""
COUNTED = """\
rule evil_words
{
    strings:
        $one = "alpha-evil"
        $two = "bravo-evil"
        $three = "charlie-evil"
        $key = "secret" xor(0-31)
    condition:
        2 of ($one, $two, $three) or #key > 2 or for any of ($one, $two) : ( # > 2 )
}
"""
TEXT, UPPER = b"..Invoke-Evil..", b"..INVOKE-EVIL.."
KEY = b"..beacon-key.."
WIDE = "..beacon-key..".encode("utf-16-le")
CODE = b"MZ\x91\x00\x01\x02\x03\x04\x05PE c2=abcd"
TWO = b"alpha-evil bravo-evil"
THREE = TWO + b" charlie-evil"
SECRETS = b"secret " * 3
XORED = bytes(byte ^ 20 for byte in b"secret") * 3
OFTEN = b"alpha-evil " * 3
SMALL = "filesize < 4KB"
CONDITION = "filesize < 4KB and ($text or $both or ($code and $link))"
WORDS = "2 of ($one, $two, $three) or #key > 2 or for any of ($one, $two) : ( # > 2 )"


def _loader(
    name: str, sample: bytes, *edits: tuple[str, str], weakness: Weakness | str | None = None
) -> Case:
    return _case(name, LOADER, sample, edits, weakness)


def _words(
    name: str, sample: bytes, *edits: tuple[str, str], weakness: Weakness | str | None = None
) -> Case:
    return _case(name, COUNTED, sample, edits, weakness)


def _case(
    name: str,
    text: str,
    sample: bytes,
    edits: tuple[tuple[str, str], ...],
    weakness: Weakness | str | None,
) -> Case:
    new = edited(text, *edits)
    files = {"evil.yar": text}, {"evil.yar": new}
    return Case(name=name, old=files[0], new=files[1], sample=sample, weakness=weakness)


W = Weakness
WEAKENED = (
    _loader("nocase dropped", UPPER, (" nocase", ""), weakness=W.MODIFIER_DROPPED),
    _loader("wide dropped", WIDE, ("ascii wide", "ascii"), weakness=W.MODIFIER_DROPPED),
    _loader("ascii dropped", KEY, ("ascii wide", "wide"), weakness=W.MODIFIER_DROPPED),
    _loader(
        "whole words alone", b"xInvoke-Evilx", (" nocase", " nocase fullword"),
        weakness=W.MODIFIER_DROPPED,
    ),
    _loader("a wildcard fixed", CODE, ("5A ??", "5A 90"), weakness=W.PATTERN_DROPPED),
    _loader("half a wildcard fixed", CODE, ("5A ??", "5A ?0"), weakness=W.PATTERN_DROPPED),
    _loader("a jump narrowed", CODE, ("[2-6]", "[2-3]"), weakness=W.PATTERN_DROPPED),
    _loader(
        "case of an expression", CODE.replace(b"c2=abcd", b"C2=ABCD"), ("{4,8}/i", "{4,8}/"),
        weakness=W.MODIFIER_DROPPED,
    ),
    _loader("or became and", TEXT, ("$text or $both", "$text and $both"),
            weakness=W.CONDITION_NARROWER),
    _loader("size lowered", TEXT + bytes(2000), ("4KB", "1KB"), weakness=W.BOUND_MOVED),
    _loader(
        "a string dropped", TEXT, ('        $text = "Invoke-Evil" nocase\n', ""),
        ("$text or ", ""), weakness=W.PATTERN_DROPPED,
    ),
    _loader("and false", TEXT, (CONDITION, f"false and {CONDITION}"), weakness=W.NEVER_TRUE),
    _loader(
        "sizes that exclude each other", TEXT, ("filesize <", "filesize > 5000 and filesize <"),
        weakness=W.NEVER_TRUE,
    ),
    _loader(
        "an exclusion", TEXT + b"signed by",
        ("    condition", '        $no = "signed by"\n    condition'),
        (CONDITION, f"{CONDITION} and not $no"), weakness=W.EXCLUSION_ADDED,
    ),
    _loader("only at the begin", TEXT, ("($text or", "($text at 0 or"), weakness=W.BOUND_MOVED),
    _loader(
        "only near the begin", bytes(50) + TEXT, ("($text or", "($text in (0..20) or"),
        weakness=W.BOUND_MOVED,
    ),
    _loader("made private", TEXT, ("rule evil", "private rule evil"), weakness=W.MADE_PRIVATE),
    _loader("a longer text", TEXT, ("Invoke-Evil", "Invoke-Evil-Now"),
            weakness=W.PATTERN_DROPPED),
    _loader("another text", TEXT, ("Invoke-Evil", "Invoke-Good"), weakness=W.PATTERN_DROPPED),
    _loader("counted more often", TEXT, ("($text or", "(#text > 3 or"),
            weakness=W.THRESHOLD_RAISED),
    _loader(
        "a header demanded", TEXT, (CONDITION, f"uint16(0) == 0x5A4D and {CONDITION}"),
        weakness=W.CONDITION_NARROWER,
    ),
    _words("two became three", TWO, ("2 of (", "3 of ("), weakness=W.THRESHOLD_RAISED),
    _words("two became all", TWO, ("2 of (", "all of ("), weakness=W.THRESHOLD_RAISED),
    _words("a count raised", SECRETS, ("#key > 2", "#key > 20"), weakness=W.THRESHOLD_RAISED),
    _words("fewer keys of xor", XORED, ("xor(0-31)", "xor(0-15)"), weakness=W.MODIFIER_DROPPED),
    _words("a loop over all", OFTEN, ("for any of", "for all of"), weakness=W.THRESHOLD_RAISED),
    _words(
        "a member of a set dropped", b"alpha-evil charlie-evil", ("$two, $three)", "$two)"),
        ('        $three = "charlie-evil"\n', ""), weakness=W.PATTERN_DROPPED,
    ),
    Case(
        name="commented out", old={"evil.yar": LOADER}, new={"evil.yar": f"/*\n{LOADER}*/\n"},
        sample=TEXT, weakness="disabled",
    ),
    Case(
        name="moved out of the set", old={"evil.yar": LOADER, "b.yar": COUNTED},
        new={"b.yar": COUNTED}, sample=TEXT, weakness="disabled",
    ),
    Case(
        name="a global rule", old={"evil.yar": LOADER},
        new={"evil.yar": f"global rule gate {{ condition: filesize < 5 }}\n{LOADER}"},
        sample=TEXT, weakness=W.DISABLES_OTHERS,
    ),
)  # fmt: skip

HARMLESS = (
    _loader("a comment", TEXT, ("    strings:", "    // what it does\n    strings:")),
    _loader("layout", TEXT, ("        ", "  "), ("\n{", " {")),
    _loader("strings in another order", TEXT, ('        $text = "Invoke-Evil" nocase\n', ""),
            ("    condition", '        $text = "Invoke-Evil" nocase\n    condition')),
    _loader("strings renamed", UPPER, ("$text", "$first"), ("$both", "$second")),
    _loader("metadata", TEXT, ('"lab"', '"other"'), ('"high"', '"medium"')),
    _loader("a tag", TEXT, ("rule evil_loader", "rule evil_loader : loader")),
    _loader("a number in another way", TEXT, ("4KB", "0x1000")),
    _loader("parts in another order", TEXT, ("$text or $both", "$both or $text")),
    _loader("more brackets", TEXT, ("$text or $both", "($text or ($both))")),
    _loader("brackets multiplied out", CODE,
            (CONDITION, f"{SMALL} and ($text or $both) or {SMALL} and $code and $link")),
    _loader("modifiers in another order", WIDE, ("ascii wide", "wide ascii")),
    _loader("hex in another way", CODE, ("4D 5A ??", "4d5a??")),
    _loader("an escape in a text", TEXT, ('"Invoke', '"\\x49nvoke')),
    _loader("a larger size", TEXT, ("4KB", "5MB")),
    _loader("one more string", TEXT, ("    condition", '        $more = "evil"\n    condition'),
            ("($text or", "($more or $text or")),
    _loader("a wider jump", CODE, ("[2-6]", "[1-9]")),
    _loader("a byte free", CODE, ("50 45 }", "50 4? }")),
    _loader("the rule renamed", TEXT, ("evil_loader", "evil_dropper")),
    _loader("a private string", TEXT, ('" nocase', '" nocase private')),
    _words("fewer wanted", THREE, ("2 of (", "1 of (")),
    _words("them in place of all names", TWO, (WORDS, f"{WORDS} or all of them")),
    _words("a lower count", SECRETS, ("#key > 2", "#key > 1")),
    _words("the same count", SECRETS, ("#key > 2", "#key >= 3")),
    _words("the same count, turned", SECRETS, ("#key > 2", "2 < #key")),
    _words("more keys of xor", XORED, ("xor(0-31)", "xor(0-0xff)")),
    Case(
        name="one more rule", old={"evil.yar": LOADER}, new={"evil.yar": LOADER + COUNTED},
        sample=TEXT,
    ),
    Case(
        name="another file", old={"evil.yar": LOADER}, new={"loader/evil.yar": LOADER},
        sample=TEXT,
    ),
)  # fmt: skip
