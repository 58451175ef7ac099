"""A first look at files with rules names the rules that differ; of others none is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

import pytest

from builders.jail import JailEnd, JailFailedError
from pipelines.explain import rule_differences, spool
from pipelines.explain.first_look import FirstLooks, may_differ_in_rules
from pipelines.explain.quickdiff import Look
from pipelines.explain.rule_differences import with_rule_changes
from pipelines.explain.rule_texts import summary
from pipelines.explain.sentences import sentences
from pipelines.judge.difference import Cause, CauseName, QuickDiff
from tests.fakes.jail import OpenJail
from tests.rules.rulesets import CVD_HEADER, Files, compared

Maker = Callable[..., bytes]
REVIEWED = b'rule kept { condition: true }\nrule loader { strings: $a = "x" condition: $a }\n'
SHIPPED = REVIEWED.replace(b'"x"', b'"x" wide').replace(b"kept", b"new")


def looked_at(
    name: str, shipped: BinaryIO, rebuilt: BinaryIO
) -> tuple[QuickDiff, tuple[Cause, ...]]:
    looks = FirstLooks(OpenJail())
    seen, causes, note = looks.rules(name, shipped, rebuilt, looks.difference(shipped, rebuilt))
    assert note is None
    return seen, causes


def test_rules_are_the_first_fields_and_causes_of_a_package(make_tar: Maker) -> None:
    files = [io.BytesIO(make_tar({"a": b"1", "r.yar": text})) for text in (SHIPPED, REVIEWED)]
    seen, causes = looked_at("p.tar", *files)
    assert [(field.path, field.field) for field in seen.fields[:2]] == [
        ("r.yar", "loader: patterns"),
        ("r.yar", "new"),
    ]
    assert (seen.fields[1].shipped, seen.fields[1].rebuilt) == ("new", "kept")
    assert seen.fields[0].format == "yara rules"
    assert (seen.fields[0].shipped, seen.fields[0].rebuilt) == ('$a = "x" wide', '$a = "x"')
    assert [cause.name for cause in causes] == [CauseName.RULE_WEAKENED]
    assert causes[0].detail.startswith("loader (")
    assert next(sentences(seen)) == (
        '`loader: patterns` says $a = "x" wide, the rebuild $a = "x" (yara rules, r.yar)'
    )


def test_a_rule_that_only_the_rebuild_has_is_disabled_in_what_was_shipped() -> None:
    files = [io.BytesIO(text) for text in (SHIPPED.partition(b"\n")[2], REVIEWED)]
    seen, causes = looked_at("r.yar", *files)
    assert {cause.name for cause in causes} >= {CauseName.RULE_DISABLED}
    gone = next(field for field in seen.fields if field.field == "kept")
    assert (gone.shipped, gone.rebuilt) == (None, "line 1")


def test_files_without_rules_cost_nothing_and_faults_no_more_than_the_rules(
    make_tar: Maker,
) -> None:
    one, other = (io.BytesIO(make_tar({"a.so": text})) for text in (b"1", b"2"))
    look = FirstLooks(OpenJail()).difference(one, other)
    seen = look.diff
    assert not may_differ_in_rules("p.tar", look)
    rules = seen.model_copy(update={"members": None})
    fault = JailFailedError(JailEnd.CRASHED, "it is not asked", got="a file")
    assert FirstLooks(OpenJail(fault)).rules("p.tar", one, other, look) == (seen, (), None)
    told, causes, note = FirstLooks(OpenJail(fault)).rules("p.rules", one, other, Look(diff=rules))
    assert (told, causes) == (rules, ()), "what was seen stands"
    assert "its rules were not compared: it is not asked" in (note or "")


@pytest.mark.parametrize("name", ["r.txt", "r.py", "main.cvd", "r.ndb", None])
def test_a_package_whose_texts_differ_is_read_as_rules_where_one_may_be(
    make_tar: Maker, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"kept.yar": REVIEWED}
    shipped, rebuilt = {"a.txt": b"1", **kept}, {"a.txt": b"2", **kept}
    if name is not None:
        rebuilt[name] = REVIEWED if name != "main.cvd" else CVD_HEADER
    one, other = (io.BytesIO(make_tar(files)) for files in (shipped, rebuilt))
    for files in ((one, other), (other, one)):
        look = FirstLooks(OpenJail()).difference(*files)
        assert may_differ_in_rules("p.tar", look) is (name is not None)
    monkeypatch.setattr(spool, "LEVELS", 0)
    assert FirstLooks(OpenJail()).difference(one, other).rules, "what was not kept may be rules"


def test_what_is_not_read_whole_may_have_rules(make_tar: Maker) -> None:
    one, other = (make_tar({"a.txt": text, "b": bytes(9000)}) for text in (b"1", b"2"))
    look = FirstLooks(OpenJail()).difference(io.BytesIO(one[:6000]), io.BytesIO(other))
    assert may_differ_in_rules("p.tar", look)


def test_no_more_fields_are_told_than_a_look_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_differences, "SHOWN", 3)
    texts = [
        b"".join(b"rule r%d { condition: %d }\n" % (n, n + by) for n in range(9)) for by in (0, 1)
    ]
    files = [io.BytesIO(text) for text in texts]
    one, other = files
    seen = FirstLooks(OpenJail()).difference(one, other).diff
    told, _ = with_rule_changes(OpenJail(), "r.yar", one, other, seen)
    assert (len(told.fields), told.fields_left_out) == (3, 6 + len(seen.fields))


def test_a_summary_counts_rules_by_their_effect() -> None:
    old = {"r.yar": REVIEWED}
    assert summary(compared(old, old)) == "no rule differs; 2 are the same"
    broken: Files = {**old, "x.yar": "rule {"}
    assert summary(compared(broken, broken)) == "no rule that was read differs; 2 are the same"
    assert summary(compared(old, {"r.yar": REVIEWED[30:]})) == "1 rule differs: 1 disabled"
