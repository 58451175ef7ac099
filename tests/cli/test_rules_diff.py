"""`samebits rules diff` as its users run it: files, folders, archives, and what is no rule set."""

from __future__ import annotations

import re
from pathlib import Path

from tests.command import samebits

NEW = 'rule loader : tag { strings: $a = "evil" condition: $a }\n'
OLD = NEW.replace('"evil"', '"evil" nocase') + "rule gone { condition: true }\n"


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yar", ".yar")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_two_folders_are_compared_rule_by_rule(tmp_path: Path) -> None:
    old, new = written(tmp_path / "1", a__r_yar=OLD), written(tmp_path / "2", b_yar=NEW)
    (new / "link.yar").symlink_to(old / "a/r.yar")
    page = tmp_path / "changes.html"
    shown = samebits("rules", "diff", old, new, "--html", page, home=tmp_path)
    assert shown.code == 1, shown.err
    assert re.search(r"^disabled +removed +gone .* a/r\.yar:2$", shown.out, re.MULTILINE)
    assert re.search(r"changed +loader .*modifier-dropped.* b\.yar:1$", shown.out, re.MULTILINE)
    document = samebits("rules", "diff", old, new, "--json", home=tmp_path).document()
    assert document["counts"] == {"removed": 1, "changed": 1}
    assert (document["old_name"], document["complete"]) == (str(old), True)
    assert document["new"]["rules"] == 1, "a link is not followed"
    text = page.read_text()
    assert "gone" in text
    assert "<script" not in text


def test_what_differs_in_layout_alone_is_no_difference(tmp_path: Path) -> None:
    folder = written(tmp_path, a_yar=NEW, b_yar="// again\n" + NEW.replace(" ", "  "))
    shown = samebits("rules", "diff", folder / "a.yar", folder / "b.yar", home=tmp_path)
    assert shown.code == 0, shown.err
    assert "layout-only" in shown.out


def test_rules_that_cannot_be_read_are_said_and_are_no_success(tmp_path: Path) -> None:
    folder = written(tmp_path, a_yar=NEW + "rule", b_yar=NEW + "rule")
    shown = samebits("rules", "diff", folder / "a.yar", folder / "b.yar", home=tmp_path)
    assert shown.code == 2
    assert "not read in new: b.yar:2" in shown.out
    assert "not every rule was read" in shown.err


def test_hostile_names_are_shown_escaped(tmp_path: Path) -> None:
    bad = "\x1b[2Jevil<script>"
    (tmp_path / "a.ndb").write_text(f"{bad}:0:*:4142\n")
    (tmp_path / "b.ndb").write_text("")
    page = tmp_path / "changes.html"
    shown = samebits(
        "rules", "diff", tmp_path / "a.ndb", tmp_path / "b.ndb", "--html", page, home=tmp_path
    )
    assert shown.code == 1, shown.err
    assert "\x1b" not in shown.out + page.read_text()
    assert "\\x1b[2Jevil" in shown.out
    assert "<script" not in page.read_text()


def test_what_is_no_rule_set_is_one_clear_error(tmp_path: Path) -> None:
    folder = written(tmp_path, notes="hello")
    for words, said in (
        ((folder, folder), "no rules in either of them"),
        ((folder / "missing", folder), "cannot be read"),
        ((folder,), "release"),
        (("a/b@1", folder), "there is no recipe of a/b@1"),
    ):
        ended = samebits("rules", "diff", *words, home=tmp_path)
        assert ended.code == 64
        ended.assert_clear()
        assert said in ended.err


def test_compare_names_the_rules_that_differ(tmp_path: Path) -> None:
    folder = written(tmp_path, a_yar=NEW, b_yar=OLD)
    shown = samebits("compare", folder / "a.yar", folder / "b.yar", home=tmp_path)
    assert shown.code == 1
    assert "rule-disabled: gone" in shown.out
    assert "`loader: patterns` says" in shown.out
