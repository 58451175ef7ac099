"""ClamAV's signatures: of each kind of file, in a database and out of one."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import pytest

from pipelines.rules.change import ChangeKind, Effect
from pipelines.rules.reading import rule_changes
from pipelines.rules.rule import Bound, Pattern
from tests.fakes.jail import OpenJail
from tests.rules.rulesets import CVD_HEADER, compared, only, rule_set, rules_of

MD5 = "44d88612fea8a8f36de82e1278abb02f"


def test_hashes_have_their_size() -> None:
    rule = rules_of("a.hdb", f"{MD5}:68:Eicar-Test\n")["hdb:Eicar-Test"]
    assert rule.bounds == {"size": Bound(lowest=68, highest=68)}
    assert rule.patterns == (Pattern(name="0", value=f"md5:{MD5}"),)
    assert rules_of("a.hsb", f"{MD5 * 2}:*:Any:73\n")["hsb:Any"].bounds == {
        "level": Bound(lowest=73)
    }


def test_a_body_has_target_offset_and_code() -> None:
    rule = rules_of("a.ndb", "Eicar:1:EOF-10,5:58AB??{2-4}:51:99\n")["ndb:Eicar"]
    assert rule.scope == ("target:1",)
    assert rule.patterns == (
        Pattern(name="0", value="58ab??{2-4}", modifiers=("offset=EOF-10,5",)),
    )
    assert rule.bounds == {"level": Bound(lowest=51, highest=99)}


def test_a_logical_signature_has_its_expression_and_parts() -> None:
    line = "Sig;Engine:51-255,FileSize:10-500,Target:1;(0&1)|2>3;414243::iw;EP+0:4D5A;0/a.c/i\n"
    rule = rules_of("a.ldb", line)["ldb:Sig"]
    assert rule.condition == "(0&1)|2>3"
    assert rule.patterns == (
        Pattern(name="0", value="414243", modifiers=("i", "w")),
        Pattern(name="1", value="4d5a", modifiers=("offset=EP+0",)),
        Pattern(name="2", value="0/a.c/i"),
    )
    assert rule.bounds["FileSize"] == Bound(lowest=10, highest=500)
    assert rule.scope == ("Target:1",)


def test_files_in_archives_have_bounds() -> None:
    rule = rules_of("a.cdb", "Zip:CL_TYPE_ZIP:*:evil\\.exe:10-20:*:1:1:*:*:51\n")["cdb:Zip"]
    assert rule.bounds == {
        "packed": Bound(lowest=10, highest=20),
        "position": Bound(lowest=1, highest=1),
        "level": Bound(lowest=51),
    }


@pytest.mark.parametrize("line", ["Eicar:0", "Eicar:x:0:41", f"{MD5}:68", "a;b;c", "::"])
@pytest.mark.parametrize("kind", ["ndb", "hdb", "ldb", "cdb", "mdb"])
def test_a_line_of_another_form_is_a_fault(kind: str, line: str) -> None:
    found = rule_set({f"a.{kind}": f"# a comment\n\n{line}\n"})
    assert found.rules == []
    assert [fault.line for fault in found.faults] == [3]


def test_ignoring_a_signature_disables_it() -> None:
    old = {"a.ndb": "Evil:0:*:4142\nOther:0:*:4344\n"}
    changes = compared(old, {**old, "local.ign2": "Evil\n"})
    found = {change.identity: change for change in changes.changes}
    assert found["ndb:Evil"].judgement.effect is Effect.DISABLED
    assert found["ign2:Evil"].kind is ChangeKind.ADDED
    assert "ndb:Other" not in found


def test_a_byte_of_zero_hides_no_signature() -> None:
    old = {"a.ndb": "Evil:0:*:4142\n"}
    changes = compared(old, {**old, "b.ign2": "# \0\nEvil\n"})
    assert changes.changes[0].judgement.effect is Effect.DISABLED
    assert rule_set({"a.mdb": "\0\1Standard Jet DB\0"}).files == 0


def test_one_name_with_many_hashes_is_paired_by_hash() -> None:
    lines = [f"{number:032x}:{number}:Family\n" for number in range(1, 6)]
    changes = compared({"a.hdb": "".join(lines)}, {"a.hdb": "".join(lines[1:])})
    assert only(changes).kind is ChangeKind.REMOVED
    assert only(changes).old is not None
    assert changes.unchanged == 4


def test_a_renamed_signature_is_neither_gone_nor_new() -> None:
    changes = compared({"a.ndb": "Old:0:*:4142"}, {"a.ndb": "New:0:*:4142"})
    assert only(changes).kind is ChangeKind.RENAMED
    assert only(changes).old_identity == "ndb:Old"


def test_a_database_is_read_as_its_members(make_tar: Callable[..., bytes]) -> None:
    def cvd(*names: str) -> bytes:
        lines = "".join(f"{name}:0:*:4142{ord(name[0]):02x}\n" for name in names).encode()
        files = {"COPYING": b"text", "t.info": b"ClamAV-VDB:x", "t.ndb": lines}
        return CVD_HEADER.ljust(512) + gzip.compress(make_tar(files))

    databases = [cvd(*names) for names in ("AB", "AC")]
    packages = [make_tar({"./usr/t.cvd": one}) for one in databases]
    for (old, new), name, folder in ((databases, "t.cvd", ""), (packages, "p.tar", "usr/t.cvd/")):
        sides = ([(name, io.BytesIO(side))] for side in (old, new))
        changes = rule_changes(OpenJail(), *sides)
        found = {change.identity: change.kind for change in changes.changes}
        assert found == {"ndb:B": ChangeKind.REMOVED, "ndb:C": ChangeKind.ADDED}
        assert changes.changes[0].old is not None
        assert changes.changes[0].old.file == f"{folder}t.ndb"
