"""Edits of ClamAV signatures."""

from __future__ import annotations

import hashlib

from pipelines.rules.change import Weakness
from tests.rules.effect.cases import Case, Files, edited


def _hex(text: str) -> str:
    return text.encode().hex()


LOGICAL = (
    "Evil.Loader-1;Engine:51-255,FileSize:0-4096,Target:0;(0|1)&2;"
    f"{_hex('invoke-evil')}::i;{_hex('beacon-key')}::aw;{_hex('c2=')}??{_hex('key')}\n"
)
BODY = f"Evil.Body-1:0:*:{_hex('dropper')}{{2-6}}{_hex('stage')}\n"
FIRST = f"Evil.First-1:0:0:{_hex('#!evil')}\n"
FLAT = b"a file that is known to be bad"
HASH = f"{hashlib.md5(FLAT, usedforsecurity=False).hexdigest()}:{len(FLAT)}:Evil.Hash-1:73\n"
BINARY = bytes(range(8)) * 40
"""No text: that would be searched in lower case, too."""
INVOKE = BINARY + b"..INVOKE-EVIL.. c2=:key"
WIDE = BINARY + "..beacon-key..".encode("utf-16-le") + b" c2=:key"
DROPPER = b"....dropper12345stage...."
SCRIPT = b"#!evil and more"
SET: Files = {"evil.ldb": LOGICAL, "evil.ndb": BODY + FIRST, "evil.hdb": HASH}
W = Weakness
_CODE = _hex("dropper")
_END = f"{{2-6}}{_hex('stage')}"


def _case(
    name: str,
    sample: bytes,
    file: str,
    *edits: tuple[str, str],
    weakness: Weakness | str | None = None,
) -> Case:
    new = {**SET, file: edited(SET[file], *edits)}
    return Case(name=name, old=SET, new=new, sample=sample, weakness=weakness)


def _with(name: str, sample: bytes, weakness: Weakness | str | None, **files: str) -> Case:
    new = {**SET, **{file.replace("_", "."): text for file, text in files.items()}}
    return Case(name=name, old=SET, new=new, sample=sample, weakness=weakness)


WEAKENED = (
    _case("case of a part", INVOKE, "evil.ldb", ("::i", ""), weakness=W.MODIFIER_DROPPED),
    _case("wide dropped", WIDE, "evil.ldb", ("::aw", "::a"), weakness=W.MODIFIER_DROPPED),
    _case("whole words", INVOKE.replace(b"..", b"x"), "evil.ldb", ("::i;", "::if;"),
          weakness=W.MODIFIER_DROPPED),
    _case("or became and", INVOKE, "evil.ldb", ("0|1", "0&1"), weakness=W.CONDITION_NARROWER),
    _case("size lowered", INVOKE + bytes(300), "evil.ldb", ("0-4096", "0-500"),
          weakness=W.BOUND_MOVED),
    _case("programs alone", INVOKE, "evil.ldb", ("Target:0", "Target:1"),
          weakness=W.SCOPE_NARROWER),
    _case("engines of the future", INVOKE, "evil.ldb", ("51-255", "250-255"),
          weakness=W.SCOPE_NARROWER),
    _case("a byte fixed", INVOKE, "evil.ldb", ("??", "41"), weakness=W.PATTERN_DROPPED),
    _case("counted more often", INVOKE, "evil.ldb", ("(0|1)", "(0>3|1)"),
          weakness=W.THRESHOLD_RAISED),
    _case("a block counted", INVOKE, "evil.ldb", ("(0|1)&", "((0|1)>2)&"),
          weakness=W.THRESHOLD_RAISED),
    _case("an exclusion", INVOKE + b"signed by", "evil.ldb", ("&2;", "&2&(3=0);"),
          ("\n", f";{_hex('signed by')}\n"), weakness=W.EXCLUSION_ADDED),
    _case("a part dropped", INVOKE, "evil.ldb", ("(0|1)&2", "1&2"),
          weakness=W.CONDITION_NARROWER),
    _case("in an archive alone", INVOKE, "evil.ldb", ("Target:0", "Target:0,Container:CL_TYPE_ZIP"),
          weakness=W.SCOPE_NARROWER),
    _case("only at the begin", DROPPER, "evil.ndb", (f":*:{_CODE}", f":0:{_CODE}"),
          weakness=W.BOUND_MOVED),
    _case("only at the end", DROPPER, "evil.ndb", (f":*:{_CODE}", f":EOF-8:{_CODE}"),
          weakness=W.BOUND_MOVED),
    _case("offset moved", SCRIPT, "evil.ndb", (f":0:{_hex('#!')}", f":4:{_hex('#!')}"),
          weakness=W.BOUND_MOVED),
    _case("a gap narrowed", DROPPER, "evil.ndb", ("{2-6}", "{2-3}"), weakness=W.PATTERN_DROPPED),
    _case("another type of file", DROPPER, "evil.ndb", ("Body-1:0:", "Body-1:3:"),
          weakness=W.SCOPE_NARROWER),
    _case("a longer body", DROPPER, "evil.ndb", (_hex("stage"), _hex("stage2")),
          weakness=W.PATTERN_DROPPED),
    _case("another body", DROPPER, "evil.ndb", (_hex("stage"), _hex("stahe")),
          weakness=W.PATTERN_DROPPED),
    _case("engines of the past", DROPPER, "evil.ndb", (_END, f"{_END}:51:60"),
          weakness=W.SCOPE_NARROWER),
    _case("size of a hash", FLAT, "evil.hdb", (":30:", ":31:"), weakness=W.BOUND_MOVED),
    _case("one digit of a hash", FLAT, "evil.hdb", (HASH[:4], "0000"),
          weakness=W.PATTERN_DROPPED),
    _case("a line gone", DROPPER, "evil.ndb", (BODY, ""), weakness="disabled"),
    _with("a signature ignored", DROPPER, W.DISABLES_OTHERS, local_ign2="Evil.Body-1\n"),
    _with("a file allowed", FLAT, W.EXCLUSION_ADDED, local_fp=HASH.replace("Evil", "Good")),
)  # fmt: skip

HARMLESS = (
    _with("one more signature", DROPPER, None, more_ndb=f"Evil.More-1:0:*:{_hex('moreevil')}\n"),
    _case("lines in another order", DROPPER, "evil.ndb", (BODY + FIRST, FIRST + BODY)),
    _case("hex in capitals", DROPPER, "evil.ndb", (_CODE, _CODE.upper())),
    _case("a wider gap", DROPPER, "evil.ndb", ("{2-6}", "{0-9}")),
    _case("a byte free", DROPPER, "evil.ndb", (_hex("stage"), f"{_hex('st')}??{_hex('ge')}")),
    _case("anywhere", SCRIPT, "evil.ndb", (f":0:{_hex('#!')}", f":*:{_hex('#!')}")),
    _case("a shorter body", DROPPER, "evil.ndb", (_hex("stage"), _hex("stag"))),
    _case("a wider size", INVOKE, "evil.ldb", ("0-4096", "0-8192")),
    _case("engines of the future too", INVOKE, "evil.ldb", ("51-255", "51-300")),
    _case("fields in another order", INVOKE, "evil.ldb",
          ("FileSize:0-4096,Target:0", "Target:0,FileSize:0-4096")),
    _case("parts of an expression in another order", INVOKE, "evil.ldb", ("0|1", "1|0")),
    _case("brackets", INVOKE, "evil.ldb", ("(0|1)&2", "((0|1)&2)")),
    _case("multiplied out", INVOKE, "evil.ldb", ("(0|1)&2", "(0&2)|(1&2)")),
    _case("an alternative more", INVOKE, "evil.ldb", ("(0|1)", "(0|1|3)"),
          ("\n", f";{_hex('other-evil')}\n")),
    _case("a count that is the same", INVOKE, "evil.ldb", ("(0|1)", "(0>0|1)")),
    _case("flags in another order", WIDE, "evil.ldb", ("::aw", "::wa")),
    _case("case of one more part", WIDE, "evil.ldb", ("::aw", "::awi")),
    _case("renamed", DROPPER, "evil.ndb", ("Evil.Body-1", "Evil.Body-2")),
    _case("a comment", DROPPER, "evil.ndb", (BODY, f"# what it does\n{BODY}")),
    _case("any size of a hash", FLAT, "evil.hdb", (":30:", ":*:")),
    Case(name="another file", old=SET, sample=DROPPER,
         new={"evil.ldb": LOGICAL, "daily.ndb": BODY + FIRST, "evil.hdb": HASH}),
)  # fmt: skip
