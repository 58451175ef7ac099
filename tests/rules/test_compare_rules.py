"""Rule sets compared: pairs, order, bounds, and identities that are used twice."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import product
from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.jail import ParserJail
from pipelines.rules import compare_rules as module
from pipelines.rules import rule_set as sets
from pipelines.rules.change import ChangeKind, Effect
from pipelines.rules.compare_rules import compare_rules
from pipelines.rules.reading import CHANGES, rule_changes
from pipelines.rules.rule_files import HEAD, MOST, may_be_rules, may_hold_rules, rule_files
from pipelines.rules.rule_set import language_of
from tests.fakes.jail import OpenJail
from tests.rules.effect.capa_cases import DROPPER, OPEN
from tests.rules.languages.samples import RULE_FILES
from tests.rules.rulesets import CVD_HEADER, compared, kinds, only, rule_set

LONG = 100_000
"""Signs that take minutes where each is tried as the end of those before."""
SEMGREP = "rules: [{id: a, languages: [py], severity: ERROR, message: m, pattern: true}]"


def rule(name: str, condition: str = "filesize > 5", meta: str = "") -> str:
    return f"rule {name} {{ {meta} condition: {condition} }}\n"


def test_the_worst_comes_first_and_all_is_counted() -> None:
    old = {"r.yar": rule("gone", "1 == 1") + rule("same") + rule("other", "filesize > 6")}
    new = {"r.yar": rule("fresh", "2 == 2") + rule("same") + rule("other", "filesize > 7")}
    changes = compared(old, new)
    assert changes.changes[0].identity == "gone"
    assert changes.changes[0].judgement.effect is Effect.DISABLED
    assert changes.counts == {"removed": 1, "changed": 1, "added": 1}
    assert (changes.unchanged, changes.differs) == (1, True)
    changed = next(c for c in changes.changes if c.kind is ChangeKind.CHANGED)
    assert changed.judgement.effect is not Effect.NONE
    (field,) = changed.fields
    assert (field.field, field.old, field.new) == ("condition", "filesize > 6", "filesize > 7")


def test_equal_sets_do_not_differ_wherever_their_files_are() -> None:
    changes = compared({"a/r.yar": rule("one")}, {"b/s.yara": rule("one")})
    assert (changes.changes, changes.unchanged, changes.differs) == ((), 1, False)


def test_a_file_that_an_engine_may_not_load_any_more_is_told() -> None:
    moves = [
        ("r.yar", "r.yar.disabled", rule("one")),
        ("r.yar", ".old/r.yar", rule("one")),
        ("r.yml", "r.yaml", OPEN),
    ]
    for old, new, text in moves:
        change = only(compared({old: text}, {new: text}))
        assert (change.kind, change.judgement.effect) == (ChangeKind.MOVED, Effect.UNKNOWN)
    assert not compared({"r.yml": SEMGREP}, {"s/r.yaml": SEMGREP}).differs


def test_a_changed_rule_has_to_raise_its_revision() -> None:
    old = {"r.yar": rule("one", meta="meta: version = 2")}
    same = {"r.yar": rule("one", "true", meta="meta: version = 2")}
    raised = {"r.yar": rule("one", "true", meta="meta: version = 3")}
    assert only(compared(old, same)).revision_not_raised
    assert not only(compared(old, raised)).revision_not_raised
    assert not only(compared(old, {"r.yar": rule("one")})).revision_not_raised


def test_an_identity_that_is_used_twice_is_named() -> None:
    old = {"a.yar": rule("one")}
    changes = compared(old, {**old, "b.yar": rule("one", "true")})
    (twice,) = changes.duplicates
    assert (twice.identity, twice.count, twice.new) == ("one", 2, True)
    assert [place.file for place in twice.places] == ["a.yar", "b.yar"]
    assert kinds(changes) == {"one": ChangeKind.ADDED}
    assert only(changes).judgement.effect is Effect.UNKNOWN
    assert not compared({**old, "b.yar": rule("one", "true")}, old).duplicates
    copies = {"a.ndb": "E:0:*:41\n", "b.ndb": "E:0:*:42\n"}
    assert compared({"a.ndb": copies["a.ndb"]}, copies).effects == {"strengthened": 1}


def test_no_more_is_listed_than_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHOWN", 3)
    many = {"r.yar": "".join(rule(f"r{n}", f"filesize > {n}") for n in range(10))}
    changes = compared(many, {})
    assert (len(changes.changes), changes.left_out) == (3, 7)
    assert changes.effects == {"disabled": 10}
    monkeypatch.setattr(sets, "MOST_RULES", 4)
    found = rule_set(many)
    assert len(found.rules) == 4
    assert "more than 4 rules" in found.faults[0].what


def test_what_is_not_judged_in_time_is_unknown() -> None:
    old, new = (rule_set({"r.yar": rule("one", text)}) for text in ("true", "false"))
    late = iter((0.0, 1000.0))
    judgement = only(compare_rules(old, new, clock=lambda: next(late))).judgement
    assert (judgement.effect, judgement.details) == (
        Effect.UNKNOWN,
        ("not judged within the time",),
    )
    assert only(compare_rules(old, new)).judgement.effect is not Effect.UNKNOWN


def test_texts_of_rules_are_short_and_escaped() -> None:
    name = "\x1b[2J\u202eevil"
    lines = f"{name}:0:*:41\nlong{'g' * 9000}:0:*:42\n"
    found = [change.identity for change in compared({}, {f"a{name}.ndb": lines}).changes]
    assert all(text.isprintable() and len(text) < 500 for text in found)
    assert any("\\x1b" in text for text in found)


def test_rules_are_found_in_archives(
    make_tar: Callable[..., bytes], make_zip: Callable[..., bytes], make_ar: Callable[..., bytes]
) -> None:
    text = rule("one").encode()
    wheel = make_zip({"pack/r.yar": text, "pack/m.so": b"\x7fELF"})
    package = make_ar({"debian-binary": b"2.0\n", "data.tar": make_tar({"./usr/r.yar": text})})
    for archive, path in ((wheel, "pack/r.yar"), (package, "data.tar/usr/r.yar")):
        for place in (OpenJail(),):
            found = rule_changes(place, [], [("a", io.BytesIO(archive))])
            assert only(found).new is not None
            assert only(found).new.file == path  # type: ignore[union-attr]


def test_the_jail_reads_as_we_do_here(make_tar: Callable[..., bytes]) -> None:
    """A module that a reader first imports in there is missing: there are no files."""
    sides = [
        make_tar(
            {
                "r.yar": rule("one", condition).encode(),
                "s.yml": SEMGREP.replace("true", condition).encode(),
                "u.yml": OPEN.replace("fopen", f"f{condition}").encode(),
                "t.ndb": f"N:0:*:41{len(condition):02x}\n".encode(),
                "broken.yar": b"rule",
            }
        )
        for condition in ("true", "false")
    ]
    jail = ParserJail([CHANGES.name])
    found = [
        rule_changes(place, [("", io.BytesIO(sides[0]))], [("", io.BytesIO(sides[1]))])
        for place in (jail, OpenJail())
    ]
    jail.close()
    assert found[0] == found[1]
    assert set(kinds(found[0])) == {"one", "a", "ndb:N", "open file"}
    assert not found[0].is_complete


def test_a_file_that_is_too_large_and_an_archive_that_breaks_are_faults(
    make_tar: Callable[..., bytes],
) -> None:
    large = b"# " + b"x" * MOST
    ((path, data),) = rule_files(io.BytesIO(large), "a.ndb", io.BytesIO)
    assert (path, len(data)) == ("a.ndb", MOST + 1)
    assert "larger" in rule_set({path: data}).faults[0].what
    cut = make_tar({"r.yar": rule("one").encode(), "s.yar": b"x" * 5000})[:2000]
    found = rule_changes(OpenJail(), [], [("a.tar", io.BytesIO(cut))])
    assert only(found).identity == "one"
    assert not found.is_complete


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.conf", f"{' ' * LONG}\nSecRule ARGS x id:1\n"),
        ("a.conf", f'SecRule ARGS x "id:1{" " * LONG};"\n'),
        ("a.conf", f'SecRule ARGS x "id:{" " * LONG}\'"\n'),
        ("a.yml", f"{chr(10) * LONG}# condition"),
        ("a.yml", "# condition\n" + "rule a : a\n" * 9000),
        ("classification.config", f"config classification:{' ' * LONG}"),
        ("a.rules", f"alert ip any any -> any any (content:{' ' * LONG};)"),
        ("snort.rules", f'alert http (content:"a",{" " * LONG}nocase; sid:1;)'),
        ("a.yar", "/* " * LONG),
        ("a.yar", '"\\' * LONG),
        ("a.yar", '"\\\n' * LONG),
        ("a.yar", "/\\" * LONG),
        ("a.yar", "rule a { strings: $a = { " + "//a\n" * 3000),
    ],
    ids="line action value lines tags class content comma comments texts ends slashes hex".split(),  # noqa: SIM905
)
def test_text_that_fits_in_many_ways_is_read_at_once(path: str, text: str) -> None:
    """Where they are tried in every way, this does not end."""
    assert len(rule_set({path: text}).rules) <= 1


def test_names_say_what_is_worth_reading() -> None:
    assert all(
        map(may_hold_rules, ("a/b.yar", "local.rules", "rules/hooks.in", "main.CVD", "x.yml"))
    )
    assert not any(map(may_hold_rules, ("a.so", "yar", "b.py")))


def test_every_file_with_rules_may_be_one() -> None:
    """What differs is read as rules only where this holds for a file: none may be passed over."""
    late = b"#\n" * (HEAD // 2 - 50) + rule("late").encode()
    short = ("".join(letters) for n in (1, 2, 3) for letters in product(ascii_lowercase, repeat=n))
    files = {
        **{f"deep/{name.upper()}": text.encode() for name, text in RULE_FILES.items()},
        **{name: text.encode() for name, text in RULE_FILES.items()},
        **dict.fromkeys(("a.txt", "a", "a.md.bak", "a.py"), late),
        **dict.fromkeys(("a.bin", "a.txt"), b"YARA-X compiled"),
        **dict.fromkeys(("w.data", "a.conf.example/", ".yml"), b"w\nSecRule A B\n"),
        **dict.fromkeys((f"x.{suffix}" for suffix in short), b"ClamBC"),
    }
    known = {path: data for path, data in files.items() if language_of(path, data)}
    assert known.keys() >= RULE_FILES.keys() | {"x.rmd", "x.zmd", "x.ndb", "w.data", "a.py"}
    assert [path for path, data in known.items() if not may_be_rules(path, data[:HEAD])] == []
    assert may_be_rules("main.bin", CVD_HEADER)
    assert not any(may_be_rules(path, b"1\n") for path in ("LICENSE.txt", "RECORD", "a.py", "a"))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["a.yar", "a.ndb", "a.ldb", "a.hdb", "a.cdb", "a.yml", "a"]),
    st.one_of(
        st.binary(max_size=200),
        st.text(st.sampled_from('rule {}:"/\\$=*,;()[]-0aZ\n\t\x00\x1bé'), max_size=120).map(
            str.encode
        ),
        st.lists(
            st.sampled_from(
                [
                    "rule a ",
                    "{",
                    "}",
                    "strings:",
                    "$a = ",
                    '"x"',
                    "condition:",
                    "/*",
                    "rules:\n",
                    "- id: a\n",
                    " ",
                ]
            ),
            max_size=30,
        )
        .map("".join)
        .map(str.encode),
    ),
)
def test_no_file_ends_a_reader(path: str, data: bytes) -> None:
    changes = compared({path: b"rule x { condition: true }"}, {path: data})
    changes.model_dump_json()


def test_an_order_that_matters_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("a", "b", "c", "d")
    old, new = ("".join(map(rule, order)) for order in (names, ("a", "c", "d", "b")))
    assert not compared({"r.yar": old}, {"r.yar": new}).differs
    monkeypatch.setattr(module, "ORDERED", frozenset({"yara"}))
    changes = compared({"r.yar": old}, {"r.yar": new})
    assert kinds(changes) == {"b": ChangeKind.MOVED}
    assert only(changes).judgement.effect is Effect.UNKNOWN


def test_a_rule_whose_reference_differs_is_told_however_it_refers() -> None:
    used = OPEN.replace("    lib", "    namespace: files/open\n    lib")
    user = DROPPER.replace("match: open file", "match: files")
    old = {"a.yml": used, "b.yml": user}
    told = {"drop evil file": ChangeKind.DEPENDS}
    for name, text in {
        "open file": used.replace("fopen", "open"),
        "open it": used.replace("open file", "open it"),
    }.items():
        by_name = compared({**old, "b.yml": DROPPER}, {"a.yml": text, "b.yml": DROPPER})
        assert kinds(by_name).items() >= told.items()
        assert name in kinds(by_name)
    elsewhere = compared(old, {**old, "a.yml": used.replace("files/open", "other")})
    assert kinds(elsewhere) == {**told, "open file": ChangeKind.METADATA_ONLY}
    assert elsewhere.effects == {"effect-unknown": 1, "none": 1}
    assert kinds(compared({"b.yml": user}, old)) == {**told, "open file": ChangeKind.ADDED}
    aside = compared(old, {**old, "a.yml": used.replace("files/open", "files/opened")})
    assert kinds(aside) == {"open file": ChangeKind.METADATA_ONLY}


def test_new_metadata_does_not_hide_that_a_reference_differs() -> None:
    old = {"a.yml": OPEN, "b.yml": DROPPER}
    new = {"a.yml": OPEN.replace("fopen", "open"), "b.yml": DROPPER.replace("lab@", "desk@")}
    changes = compared(old, new)
    assert kinds(changes) == {"open file": ChangeKind.CHANGED, "drop evil file": ChangeKind.DEPENDS}
    assert changes.effects == {"weakened": 1, "effect-unknown": 1}
