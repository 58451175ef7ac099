"""Deltas of ClamAV databases: applied member by member, and each way in which one is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from tempfile import TemporaryFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.judge.updates import cdiff as cdiff_module
from pipelines.judge.updates.cdiff import CDIFF
from pipelines.judge.updates.delta_format import DeltaLimits
from pipelines.judge.updates.update_fault import UpdateError
from tests.judge.signatures.databases import SIGNED, STRONG, block
from tests.judge.updates.cdiffs import (
    AFTER,
    BASE,
    BEFORE,
    TARGET,
    as_list,
    cdiff,
    everything,
    script,
    settled,
)

UNSIGNED = SIGNED.but(members=AFTER, version=b"7", strong=None)
WHOLE, GOAL = BASE.whole(), TARGET.whole()
SCRIPT = script(everything(BASE), everything(TARGET))


def applied(base: bytes, delta: bytes, size: int = 1 << 20) -> bytes:
    """Return the list of members that a delta gives; raises `UpdateError`."""
    out = BytesIO()
    files = BytesIO(base), BytesIO(delta)
    for file in files:
        file.seek(1)
    CDIFF.apply(*files, out, DeltaLimits(size=size, scratch=TemporaryFile))
    return out.getvalue()


def listed(target: bytes) -> bytes:
    """Return the list of members of a database."""
    assert CDIFF.members is not None
    out = BytesIO()
    CDIFF.members(BytesIO(target), out, DeltaLimits(size=1 << 20, scratch=TemporaryFile))
    return out.getvalue()


def test_the_base_with_the_delta_has_the_members_of_the_target() -> None:
    assert b"UNLINK test.mdb\n" in SCRIPT
    assert all(command in SCRIPT for command in (b"XCHG ", b"DEL ", b"ADD "))
    made = applied(WHOLE, cdiff(SCRIPT, by=STRONG))
    assert made == listed(GOAL) == as_list(everything(TARGET))


@pytest.mark.parametrize(
    ("lines", "moved", "left"),
    [
        (b"1 aa:1:Eicar 2 bb:2:Old", b"aa:1:Eicar\nbb:2:Old\n", b"cc:3:Kept\n"),
        (b"2 bb:2:Old 3 cc:3:Kept", b"bb:2:Old\ncc:3:Kept\n", b"aa:1:Eicar\n"),
    ],
)
def test_lines_are_moved_between_members(lines: bytes, moved: bytes, left: bytes) -> None:
    members = {**BEFORE, b"test.hdb": left, b"test.mdb": BEFORE[b"test.mdb"] + moved}
    target = settled(SIGNED.but(members=members, version=b"7"))
    info = {b"test.info": BASE.info}, {b"test.info": target.info}
    text = b"MOVE test.hdb test.mdb " + lines + b"\n" + script(*info)
    assert applied(WHOLE, cdiff(text)) == listed(target.whole())


def test_what_changes_nothing_changes_nothing() -> None:
    text = b"# a buffer of 4096\nOPEN test.fp\nCLOSE\nOPEN test.hdb\nCLOSE\n" + SCRIPT
    found = listed(GOAL)
    assert applied(WHOLE, cdiff(text), len(found)) == found


def test_a_member_that_is_opened_and_closed_may_end_within_a_line() -> None:
    base, target = (
        settled(SIGNED.but(members={**members, b"test.ign": b"x"}, version=version))
        for members, version in ((BEFORE, b"6"), (AFTER, b"7"))
    )
    text = b"OPEN test.ign\nCLOSE\n" + script(everything(base), everything(target))
    assert applied(base.whole(), cdiff(text)) == listed(target.whole())


def test_a_script_and_a_base_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    held = sum(map(len, everything(BASE).values()))
    for name, most in (("_MAX_SCRIPT", len(SCRIPT)), ("_MAX_DATABASE", held)):
        monkeypatch.setattr(cdiff_module, name, most)
        assert applied(WHOLE, cdiff(SCRIPT)) == listed(GOAL)
        monkeypatch.setattr(cdiff_module, name, most - 1)
        with pytest.raises(UpdateError):
            applied(WHOLE, cdiff(SCRIPT))
        monkeypatch.undo()


def test_a_full_file_that_is_no_database_has_no_members() -> None:
    with pytest.raises(UpdateError):
        listed(b"PK\3\4" * 200)


def test_another_target_is_another_list() -> None:
    other = SIGNED.but(members={**AFTER, b"test.ldb": b"Evil;Target:0;0;6161\n"}, version=b"7")
    assert applied(WHOLE, cdiff(SCRIPT)) != listed(other.whole())


LINES = st.lists(st.text("ab :", min_size=1, max_size=20).map(str.encode), max_size=6)
DATA = LINES.map(lambda lines: b"".join(line + b"\n" for line in lines))
MADE = st.dictionaries(st.sampled_from([b"a.hdb", b"b.ndb", b"c.cbc"]), DATA)


@settings(max_examples=10, deadline=None)
@given(MADE, MADE)
def test_any_delta_of_two_databases_gives_the_second(
    before: dict[bytes, bytes], after: dict[bytes, bytes]
) -> None:
    copying = {b"COPYING": BEFORE[b"COPYING"]}
    base = settled(SIGNED.but(members={**copying, **before}, version=b"6"))
    held = {name: data for name, data in after.items() if data}
    target = settled(SIGNED.but(members={**copying, **held}, version=b"7"))
    delta = cdiff(script(everything(base), everything(target)))
    assert applied(base.whole(), delta) == listed(target.whole())


@dataclass(frozen=True, kw_only=True)
class Drill:
    """A delta that must not pass."""

    fault: str
    delta: Callable[[], bytes]
    base: bytes = WHOLE
    size: int = 1 << 20


def drill(fault: str, text: bytes, *, base: bytes = WHOLE, size: int = 1 << 20) -> Drill:
    """Put lines in front of the script that is right."""
    return Drill(fault=fault, delta=lambda: cdiff(text + SCRIPT), base=base, size=size)


def after(fault: str, text: bytes) -> Drill:
    """Put lines behind the script that is right."""
    return Drill(fault=fault, delta=lambda: cdiff(SCRIPT + text))


def other_base(**members: bytes) -> bytes:
    """Return a base with other members, whose names have _ for a dot."""
    more = {name.replace("_", ".").encode(): data for name, data in members.items()}
    return settled(SIGNED.but(members={**BEFORE, **more}, version=b"6")).whole()


OTHER_VERSION = settled(SIGNED.but(members=AFTER, version=b"8"))
LISTED_TWICE = settled(
    TARGET.but(claims=b"\n".join(TARGET.info.splitlines()[:2]), info_signature=None)
)
DRILLS: dict[str, Drill] = {
    "a line that is another": Drill(
        fault="wrong-base",
        delta=lambda: cdiff(SCRIPT),
        base=other_base(test_hdb=b"aa:1:Eicar\nxx:2:Old\ncc:3:Kept\n"),
    ),
    "a line that begins with a blank": drill(
        "ambiguous-edit", b"OPEN test.ign\nDEL 1 \nCLOSE\n", base=other_base(test_ign=b" x\n")
    ),
    "a last line without an end in the base": drill(
        "ambiguous-edit", b"OPEN test.ign\nADD y\nCLOSE\n", base=other_base(test_ign=b"x")
    ),
    "an edit of a last line without an end": drill(
        "ambiguous-edit", b"OPEN test.ign\nDEL 1 x\nCLOSE\n", base=other_base(test_ign=b"x")
    ),
    "lines moved behind a last line without an end": drill(
        "ambiguous-edit",
        b"MOVE test.hdb test.ign 1 aa:1:Eicar 2 bb:2:Old\n",
        base=other_base(test_ign=b"x"),
    ),
    "an .info that lists a member twice": Drill(
        fault="checksum-differs",
        delta=lambda: cdiff(script(everything(BASE), everything(LISTED_TWICE))),
    ),
    "a base with a member twice": Drill(
        fault="delta-unreadable",
        delta=lambda: cdiff(SCRIPT),
        base=SIGNED.but(members=BEFORE, version=b"6", extra=block(b"test.hdb", b"x")).whole(),
    ),
    "an .info of another version": Drill(
        fault="checksum-differs",
        delta=lambda: cdiff(script(everything(BASE), everything(OTHER_VERSION))),
    ),
    "an empty script": Drill(fault="checksum-differs", delta=lambda: cdiff(b"")),
    "a CLOSE with more": drill("delta-unreadable", b"OPEN test.hdb\nCLOSE test.hdb\n"),
    "a line added to no member": drill("commands-out-of-order", b"ADD Evil\n"),
    "an exchange without a new line": drill(
        "delta-unreadable", b"OPEN test.hdb\nXCHG 2 bb:2:Old\nCLOSE\n"
    ),
    "lines moved while a member is open": drill(
        "commands-out-of-order",
        b"OPEN test.ndb\nMOVE test.hdb test.mdb 1 aa:1:Eicar 2 bb:2:Old\nCLOSE\n",
    ),
    "a move of no range": drill("delta-unreadable", b"MOVE test.hdb test.mdb 2 bb:2:Old\n"),
    "lines moved to where they are": after(
        "wrong-base", b"MOVE test.hdb test.hdb 1 aa:1:Eicar 2 cc:3:Kept\n"
    ),
    "lines moved from a member that is not there": drill(
        "wrong-base", b"MOVE test.fp test.hdb 1 aa:1:Eicar 2 bb:2:Old\n"
    ),
    "a move of one line": after("wrong-base", b"MOVE test.hdb test.ldb 2 cc:3:Kept 2 cc:3:Kept\n"),
    "a move beyond the end": drill("wrong-base", b"MOVE test.hdb test.mdb 2 bb:2:Old 9 zz\n"),
    "a move to another line": after("wrong-base", b"MOVE test.hdb test.ldb 1 aa:1:Eicar 2 zz\n"),
    "a DEL that names a line by a prefix": drill(
        "ambiguous-edit", b"OPEN test.ndb\nDEL 2 Win\nCLOSE\n"
    ),
    "a DEL that names any line": drill("ambiguous-edit", b"OPEN test.ndb\nDEL 2 \nCLOSE\n"),
    "an XCHG that names a line by a prefix": drill(
        "ambiguous-edit", b"OPEN test.ndb\nXCHG 2 W Evil\nCLOSE\n"
    ),
    "a MOVE that names a line by a prefix": drill(
        "ambiguous-edit", b"MOVE test.ndb test.hdb 1 Win. 2 Win.B:0:*:6262\n"
    ),
    "two DELs of one line": drill(
        "duplicate-line", b"OPEN test.hdb\nDEL 2 bb:2:Old\nDEL 2 bb:2:Old\nCLOSE\n"
    ),
    "a DEL and an XCHG of one line": drill(
        "duplicate-line", b"OPEN test.hdb\nDEL 2 bb:2:Old\nXCHG 2 bb:2:Old x\nCLOSE\n"
    ),
    "edits out of order": drill(
        "commands-out-of-order", b"OPEN test.hdb\nDEL 2 bb:2:Old\nDEL 1 aa:1:Eicar\nCLOSE\n"
    ),
    "a length that is too small": Drill(
        fault="length-differs", delta=lambda: cdiff(SCRIPT, length=len(SCRIPT) - 1)
    ),
    "a length that is too large": Drill(
        fault="length-differs", delta=lambda: cdiff(SCRIPT, length=len(SCRIPT) + 1)
    ),
    "a length of nothing": Drill(fault="length-differs", delta=lambda: cdiff(SCRIPT, length=0)),
    "a length without bound": Drill(
        fault="grows-without-bound", delta=lambda: cdiff(SCRIPT, length=10**9)
    ),
    "a bomb": Drill(
        fault="length-differs", delta=lambda: cdiff(bytes(1 << 24), length=len(SCRIPT))
    ),
    "bytes after the gzip": Drill(
        fault="bytes-left-over", delta=lambda: cdiff(SCRIPT, after=b"payload")
    ),
    "a second gzip": Drill(
        fault="bytes-left-over", delta=lambda: cdiff(SCRIPT, after=cdiff(SCRIPT)[17:])
    ),
    "bytes after the signature": Drill(
        fault="bytes-left-over", delta=lambda: cdiff(SCRIPT, by=STRONG, after=b"\0")
    ),
    "a gzip that ends early": Drill(fault="delta-unreadable", delta=lambda: cdiff(SCRIPT)[:-4]),
    "a byte of the gzip": Drill(
        fault="delta-unreadable", delta=lambda: cdiff(SCRIPT)[:-6] + b"\0\0" + cdiff(SCRIPT)[-4:]
    ),
    "another header": Drill(fault="delta-unreadable", delta=lambda: b"X" + cdiff(SCRIPT)),
    "the delta of another version": Drill(
        fault="wrong-base", delta=lambda: cdiff(SCRIPT, version=8)
    ),
    "the delta applied to its own target": Drill(
        fault="wrong-base", delta=lambda: cdiff(SCRIPT), base=GOAL
    ),
    "a base with another line": Drill(
        fault="wrong-base",
        delta=lambda: cdiff(SCRIPT),
        base=SIGNED.but(
            members={**BEFORE, b"test.hdb": b"aa:1:Eicar\nxx:2:Old\n"}, version=b"6"
        ).whole(),
    ),
    "a line behind the end": drill("wrong-base", b"OPEN test.hdb\nDEL 9 zz\nCLOSE\n"),
    "a member that is not there": drill("wrong-base", b"OPEN test.fp\nDEL 1 zz\nCLOSE\n"),
    "a member removed that is not there": drill("wrong-base", b"UNLINK test.fp\n"),
    "lines moved to a member that is not there": drill(
        "wrong-base", b"MOVE test.hdb test.fp 1 aa:1:Eicar 2 bb:2:Old\n"
    ),
    "a member that is not opened": drill("commands-out-of-order", b"DEL 1 aa:1:Eicar\n"),
    "a member that is opened twice": drill(
        "commands-out-of-order", b"OPEN test.hdb\nOPEN test.ndb\nCLOSE\n"
    ),
    "a member removed while one is open": drill(
        "commands-out-of-order", b"OPEN test.hdb\nUNLINK test.ndb\nCLOSE\n"
    ),
    "a member that is not closed": Drill(
        fault="delta-unreadable", delta=lambda: cdiff(SCRIPT + b"OPEN test.hdb\nDEL 1 aa:1:Eicar\n")
    ),
    "a last line without an end": Drill(
        fault="delta-unreadable", delta=lambda: cdiff(SCRIPT + b"OPEN test.hdb")
    ),
    "a path for a name": drill("delta-unreadable", b"OPEN ../etc/passwd\nADD x\nCLOSE\n"),
    "another command": drill("delta-unreadable", b"EXEC id\n"),
    "a number that is none": drill("delta-unreadable", b"OPEN test.hdb\nDEL -1 aa\nCLOSE\n"),
    "an ADD that the .info does not list": drill(
        "checksum-differs", b"OPEN test.fp\nADD aa:1:Eicar\nCLOSE\n"
    ),
    "a line added behind what the .info lists": drill(
        "checksum-differs", b"OPEN test.ndb\nADD Evil:0:*:66\nCLOSE\n"
    ),
    "the .info of the base": Drill(
        fault="checksum-differs", delta=lambda: cdiff(script(BEFORE, AFTER))
    ),
    "no .info left": Drill(
        fault="checksum-differs", delta=lambda: cdiff(SCRIPT + b"UNLINK test.info\n")
    ),
    "an .info without its signature": Drill(
        fault="weak-signature",
        delta=lambda: cdiff(script(everything(BASE), everything(UNSIGNED))),
    ),
    "a base that is no database": Drill(
        fault="delta-unreadable", delta=lambda: cdiff(SCRIPT), base=b"PK\3\4" * 200
    ),
    "a base that is a delta itself": Drill(
        fault="delta-unreadable", delta=lambda: cdiff(SCRIPT), base=cdiff(SCRIPT)
    ),
    "a list that outgrows its limit": drill("grows-without-bound", b"", size=100),
}


@pytest.mark.parametrize("name", DRILLS)
def test_a_delta_that_must_not_pass_is_refused_by_name(name: str) -> None:
    planted = DRILLS[name]
    with pytest.raises(UpdateError) as raised:
        applied(planted.base, planted.delta(), planted.size)
    assert raised.value.refused.fault == planted.fault, raised.value.refused.detail
    assert raised.value.refused.detail.isprintable()
