"""`samebits source`, and what `review approve` says of the last approved version."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.escaping import escaped
from tests.command import Ended, in_terminal
from tests.desk import ONE, TWO, Desk, packed


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_source_that_is_unpacked_is_the_one_that_a_review_names(desk: Desk) -> None:
    recipe = desk.release("1", packed(ONE))
    approved = desk.approve(recipe, "ada", "--json").document()
    out = desk.folder / "read"
    ended = desk.run("source", "get", "lab/tool@1", "--out", out)
    assert ended.code == 0, ended.err
    (reviewed,) = approved["sources"]
    assert f"source   {reviewed['source_digest']}, as the files in the folder give it" in ended.out
    assert "review   approve by ada on" in ended.out
    found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert found == ONE
    assert stat.S_IMODE(out.stat().st_mode) == 0o755
    again = desk.run("source", "get", recipe, "--out", desk.folder / "again", "--json").document()
    assert again["sources"][0]["source_digest"] == reviewed["source_digest"]
    assert again["sources"][0]["reviews"][0]["reviewer"] == "ada"


def test_several_sources_have_a_folder_each(desk: Desk) -> None:
    recipe = desk.release("1", packed(ONE), b"one rule\n")
    out = desk.folder / "read"
    assert desk.run("source", "get", recipe, "--out", out).code == 0
    assert sorted(p.name for p in out.iterdir()) == ["source-1", "source-2"]
    assert (out / "source-2/tool-1-1.tar").read_bytes() == b"one rule\n"


def test_a_source_that_is_not_the_pinned_one_is_not_unpacked(desk: Desk) -> None:
    recipe = desk.release("1", packed(ONE))
    (desk.recipes / "tool-1-0.tar").write_bytes(packed(TWO))
    ended = desk.run("source", "get", recipe, "--out", desk.folder / "read")
    assert ended.code == 2
    ended.assert_clear()
    assert "is not the pinned file" in ended.err
    assert not (desk.folder / "read").exists()


def test_a_hostile_source_leaves_nothing_and_is_one_message(desk: Desk) -> None:
    for number, name in enumerate(("../../evil", "/tmp/evil")):
        info = tarfile.TarInfo("x")
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info.name = name
            archive.addfile(info)
        recipe = desk.release(str(number), out.getvalue())
        ended = desk.run("source", "get", recipe, "--out", desk.folder / "read")
        assert ended.code == 2
        ended.assert_clear()
        assert "leaves its tree" in ended.err
    assert not (desk.folder / "read").exists()
    assert not list(desk.folder.glob(".source-*"))


def test_links_out_of_the_tree_are_told(desk: Desk) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("tool/pass\x1b[2Jwd")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    ended = desk.run(
        "source", "get", desk.release("1", out.getvalue()), "--out", desk.folder / "read"
    )
    assert ended.code == 0
    assert r"1 link in it lead out of the tree: pass\x1b[2Jwd" in ended.err


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("lab/tool@9", "there is no recipe of lab/tool@9"),
        ("tool", "not the name of a release"),
        ("none.yaml", "none.yaml"),
    ],
)
def test_a_release_that_is_not_there_is_one_message(desk: Desk, what: str, said: str) -> None:
    ended = desk.run("source", "get", what, "--out", desk.folder / "read")
    assert ended.code == 64
    ended.assert_clear()
    assert said in ended.err


def test_a_release_that_was_mistyped_is_suggested(desk: Desk) -> None:
    desk.release("1", packed(ONE))
    ended = desk.run("source", "get", "lab/tol@1", "--out", desk.folder / "read")
    assert "Did you mean 'lab/tool@1'?" in ended.err


def test_a_folder_that_is_there_is_left_alone(desk: Desk) -> None:
    recipe = desk.release("1", packed(ONE))
    assert desk.run("source", "get", recipe, "--out", desk.folder).code == 64
    assert desk.run("source", "get", recipe, "--out", desk.folder / "no/where").code == 64


def test_a_diff_shows_what_changed_as_git_does(desk: Desk) -> None:
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO, runs="run.sh"))
    ended = desk.run("source", "diff", "lab/tool@1", "lab/tool@2")
    assert ended.code == 1
    sections = {part.split("\n", 1)[0]: part for part in ended.out.split("diff --git ")[1:]}
    assert list(sections) == [f"a/{n} b/{n}" for n in sorted({*ONE, *TWO})]
    assert "-    return 0;\n+    return 1;\n" in sections["a/src/main.c b/src/main.c"]
    added, removed = sections["a/src/new.c b/src/new.c"], sections["a/src/gone.c b/src/gone.c"]
    assert "new file mode 100644\n--- /dev/null\n+++ b/src/new.c\n@@" in added
    assert "deleted file mode 100644\n--- a/src/gone.c\n+++ /dev/null\n@@" in removed
    assert "old mode 100644\nnew mode 100755\n" in sections["a/run.sh b/run.sh"]
    assert "binary: 3 bytes, sha256 " in sections["a/logo.bin b/logo.bin"]
    said = "files: 2 changed, 1 added, 1 removed, 1 with another mode; lines: 2 added, 2 removed"
    assert f"lab/tool@1 -> lab/tool@2: {said}" in ended.err
    same = desk.run("source", "diff", "lab/tool@1", "lab/tool@1")
    assert (same.code, same.out) == (0, "")
    assert "no file differs" in same.err


def test_a_diff_can_be_listed_and_read_by_programs(desk: Desk) -> None:
    one, two = desk.release("1", packed(ONE)), desk.release("2", packed(TWO))
    listed = desk.run("source", "diff", one, two, "--stat").out.splitlines()
    assert [line.split() for line in listed] == [
        ["changed", "+0", "-0", "logo.bin", "(binary)"],
        ["removed", "+0", "-1", "src/gone.c"],
        ["changed", "+1", "-1", "src/main.c"],
        ["added", "+1", "-0", "src/new.c"],
    ]
    ended = desk.run("source", "diff", one, two, "--json")
    document = ended.document()
    assert ended.code == 1
    assert document["files"] == {"changed": 2, "added": 1, "removed": 1, "mode": 0}
    assert (document["inserted"], document["deleted"]) == (2, 2)
    assert [c["path"] for c in document["changes"]] == [line.split()[3] for line in listed]
    assert document["after"]["release"] == "lab/tool@2"
    text = desk.run("source", "diff", one, two, "--text", "--raw").out
    assert "\n-\0\1\2\n" in text


def test_no_attribute_or_driver_in_a_source_hides_a_change(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hiding = {".gitattributes": b"* -diff binary\n", ".gitconfig": b"[diff]\nexternal = true\n"}
    desk.release("1", packed(ONE | hiding))
    desk.release("2", packed(TWO | hiding))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "true")
    assert "+    return 1;" in desk.run("source", "diff", "lab/tool@1", "lab/tool@2").out


def test_names_and_lines_cannot_pass_for_others(desk: Desk) -> None:
    forged = "x\ndiff --git a/ok b/ok"
    desk.release("1", packed({"ok": b""}))
    desk.release("2", packed({"ok": b"", forged: b"new\n"}))
    ended = desk.run("source", "diff", "lab/tool@1", "lab/tool@2")
    assert len([line for line in ended.out.split("\n") if line.startswith("diff --git")]) == 1
    assert r'b/x\ndiff --git a/ok b/ok"' in ended.out


def test_foreign_text_is_escaped_unless_its_bytes_are_asked_for(desk: Desk) -> None:
    hostile = "\x1b]0;owned\x07 \u202e// nothing\n".encode()
    desk.release("1", packed({"a.c": b"\n"}))
    desk.release("2", packed({"a.c": hostile}))
    words = ("source", "diff", "lab/tool@1", "lab/tool@2", "--center", str(desk.center))
    shown = in_terminal(*words, home=desk.home).out
    assert r"\x1b]0;owned\x07 \u202e// nothing" in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert r"+\x1b]0;owned\x07 \u202e// nothing" in desk.run(*words[:4]).out
    assert hostile.decode() in desk.run(*words[:4], "--raw").out
    assert in_terminal(*words, "--raw", home=desk.home).code == 64


def test_escaping_spares_what_can_be_printed() -> None:
    assert escaped("plain é text") == "plain é text"
    assert escaped("a\tb\n", keep="\t") == "a\tb\\n"
    assert escaped("\u2066x\x9b") == r"\u2066x\x9b"


def approval(ended: Ended) -> Any:
    assert ended.code == 0, ended.err
    return ended.document()["last_approved"]


def test_who_approves_is_told_what_changed_since_the_last_approved_version(desk: Desk) -> None:
    one, two = desk.release("1", packed(ONE)), desk.release("2", packed(TWO))
    first = desk.approve(one)
    assert "before    no other version of lab/tool was approved" in first.err
    second = desk.approve(two, "ada", "--diff")
    assert "before    lab/tool@1, approved by ada on" in second.err
    assert "since     files: 2 changed, 1 added, 1 removed; lines: 2 added, 2 removed" in second.err
    assert f"samebits source diff {one} {two}" in second.err
    assert "+    return 1;" in second.err
    third = approval(desk.approve(desk.release("3", packed(TWO)), "ada", "--json"))
    assert third["release"] == "lab/tool@2"
    assert third["changed"]["files"] == dict.fromkeys(("changed", "added", "removed", "mode"), 0)


def test_an_approval_that_was_withdrawn_or_is_a_strangers_is_no_ground(desk: Desk) -> None:
    one, two = desk.release("1", packed(ONE)), desk.release("2", packed(TWO))
    desk.approve(one)
    assert approval(desk.approve(two, "eve", "--json")) is None
    key = desk.folder / "ada.key"
    desk.run("review", "withdraw", one, "--key", key, "--reviewer", "ada", "--yes")
    assert approval(desk.approve(desk.release("3", packed(TWO)), "ada", "--json")) is None


def test_an_approval_under_another_claim_is_found_by_its_source(desk: Desk) -> None:
    """As when the builder image was locked anew since."""
    one = desk.release("1", packed(ONE))
    desk.approve(one)
    recipe = json.loads(one.read_text())
    recipe["build"]["steps"] = [["false"]]
    one.write_text(json.dumps(recipe))
    found = approval(desk.approve(desk.release("2", packed(TWO)), "ada", "--json"))
    assert found["release"] == "lab/tool@1"
    for stored in (desk.home / "store/private/vault").rglob(str(Digest.of(packed(ONE)))):
        stored.unlink()
    (desk.recipes / "tool-1-0.tar").unlink()
    assert (
        approval(desk.approve(desk.release("3", packed(TWO)), "ada", "--json"))["release"]
        == "lab/tool@2"
    )


def test_a_last_version_whose_source_is_gone_is_told(desk: Desk) -> None:
    desk.approve(desk.release("1", packed(ONE)))
    for stored in (desk.home / "store/private/vault").rglob("*"):
        if stored.is_file():
            stored.unlink()
    (desk.recipes / "tool-1-0.tar").unlink()
    found = approval(desk.approve(desk.release("2", packed(TWO)), "ada", "--json"))
    assert (found["release"], found["changed"]) == ("lab/tool@1", None)
    assert "tool-1-0.tar" in found["fault"]
