"""Witnesses and quorums, in the words of C2SP tlog-policy."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.policy.quorum import MAX_TEXT, Quorum, QuorumError
from tests.policy.world import Key

NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")


def witness(name: str, rest: str = "") -> str:
    return f"witness {name} {Key(name).witness(f'example.com/{name}')}{rest}\n"


SIX = "".join(map(witness, NAMES))
TWO_LEVELS = (
    f"# two organizations\n\n{SIX}"
    "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n"
    "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
)
SUBSETS = [set(names) for size in range(7) for names in combinations(NAMES, size)]


@pytest.mark.parametrize("names", SUBSETS, ids=lambda names: "+".join(sorted(names)) or "nobody")
def test_two_organizations_as_the_specification_has_them(names: set[str]) -> None:
    enough = len(names & {"X1", "X2", "X3"}) >= 2 and bool(names & {"Y1", "Y2", "Y3"})
    assert Quorum.parse(TWO_LEVELS).satisfied_by(names) == enough


@pytest.mark.parametrize(
    ("lines", "names", "expected"),
    [
        ("quorum none", set(), True),
        ("", set(), True),
        ("quorum X1", {"X1"}, True),
        ("quorum X1", {"X2"}, False),
        ("quorum X1", set(), False),
        ("group all all X1 X2\nquorum all", {"X1"}, False),
        ("group all all X1 X2\nquorum all", {"X1", "X2"}, True),
        ("group g 2 X1 X2\nquorum X3", {"g", "X1", "X2"}, False),
        ("group g 2 X1 X2\nquorum g", {"g"}, False),
        ("group g 2 X1 X2\nquorum g", {"X1", "stranger"}, False),
        ("group g 1 X1\ngroup h all g X2\nquorum h", {"X1", "X2"}, True),
        ("group g 1 X1\ngroup h all g X2\nquorum h", {"g", "X2"}, False),
    ],
)
def test_who_is_enough(lines: str, names: set[str], expected: bool) -> None:
    quorum = Quorum.parse(f"{SIX}{lines}\n") if lines else Quorum()
    assert quorum.satisfied_by(names) is expected


BAD = {
    "no-quorum": (SIX, "no quorum"),
    "empty": ("", "no quorum"),
    "two-quorums": (f"{SIX}quorum X1\nquorum X2\n", "a second quorum"),
    "quorum-of-nothing": ("quorum\n", "not a quorum"),
    "quorum-of-two": (f"{SIX}quorum X1 X2\n", "not a quorum"),
    "quorum-unknown": (f"{SIX}quorum Z\n", "an unknown name in a quorum"),
    "quorum-before-its-group": (f"{SIX}quorum g\ngroup g any X1\n", "an unknown name in a quorum"),
    "member-unknown": (f"{SIX}group g any X1 Z\nquorum g\n", "an unknown name in a group"),
    "member-below": (f"{SIX}group g any h\ngroup h any X1\nquorum g\n", "an unknown name"),
    "member-of-itself": (f"{SIX}group g any g\nquorum g\n", "an unknown name in a group"),
    "member-none": (f"{SIX}group g any none\nquorum g\n", "an unknown name in a group"),
    "member-twice": (f"{SIX}group g any X1 X1\nquorum g\n", "a member is named twice"),
    "member-of-two": (
        f"{SIX}group g any X1\ngroup h any X1 X2\nquorum h\n", "a member is named twice",
    ),
    "group-of-nobody": (f"{SIX}group g any\nquorum none\n", "not a group"),
    "group-called-none": (f"{SIX}group none any X1\nquorum none\n", "a name that is taken"),
    "group-called-as-a-witness": (f"{SIX}group X1 any X2\nquorum X1\n", "a name that is taken"),
    "two-groups-one-name": (
        f"{SIX}group g any X1\ngroup g any X2\nquorum g\n", "a name that is taken",
    ),
    "too-many-wanted": (f"{SIX}group g 3 X1 X2\nquorum g\n", "a group that cannot"),
    "nobody-wanted": (f"{SIX}group g 0 X1 X2\nquorum g\n", "a group that cannot"),
    "number-with-a-zero": (f"{SIX}group g 01 X1 X2\nquorum g\n", "a group that cannot"),
    "number-with-a-sign": (f"{SIX}group g +1 X1 X2\nquorum g\n", "a group that cannot"),
    "number-in-other-digits": (f"{SIX}group g \u0661 X1\nquorum g\n", "a group that cannot"),
    "all-in-capitals": (f"{SIX}group g ALL X1\nquorum g\n", "a group that cannot"),
    "witness-twice": (f"{witness('X1')}{witness('X1')}quorum X1\n", "a name that is taken"),
    "one-key-two-witnesses": (
        f"{witness('X1')}witness X2 {Key('X1').witness('other')}\nquorum X1\n",
        "one key is used twice",
    ),
    "witness-without-key": ("witness X1\nquorum none\n", "not a witness"),
    "witness-with-too-much": (f"{witness('X1', ' https://a b')}quorum X1\n", "not a witness"),
    "witness-called-none": (f"{witness('none')}quorum none\n", "a name that is taken"),
    "key-of-a-log": (f"witness X1 {Key('X1').log('a')}\nquorum X1\n", "for another use"),
    "key-is-rubbish": ("witness X1 a+b+c\nquorum X1\n", "cannot be used"),
    "key-with-the-hash-of-another": (
        witness("X1").replace("+", "+0", 1).replace("\n", "") + "\nquorum X1\n", "cannot be used",
    ),
    "log": (f"log {Key('l').log('a')}\nquorum none\n", "unknown word"),
    "word-in-capitals": ("QUORUM none\n", "unknown word"),
    "carriage-return": ("quorum none\r\n", "a control character"),
    "null": ("quorum no\0ne\n", "a control character"),
    "delete": ("quorum none\x7f\n", "a control character"),
    "other-space": ("quorum\u00a0none\n", "unknown word"),
    "too-long": ("#" * (256 << 10) + "\nquorum none\n", "too long"),
    "too-many": (
        "".join(witness(f"w{n}") for n in range(257)) + "quorum none\n", "too many names",
    ),
    "too-many-with-the-groups": (
        "".join(witness(f"w{n}") for n in range(255))
        + "group a any w1\ngroup b any w2\nquorum none\n",
        "too many names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_meant_is_refused_with_its_line(name: str) -> None:
    text, says = BAD[name]
    with pytest.raises(QuorumError) as caught:
        Quorum.parse(text)
    assert says in caught.value.what
    assert caught.value.got
    assert caught.value.expected
    assert 1 <= caught.value.line <= max(1, text.count("\n"))


def test_text_of_the_largest_size_is_read() -> None:
    end = "\nquorum none\n"
    assert Quorum.parse("#" * (MAX_TEXT - len(end)) + end) == Quorum()


def test_the_line_that_is_wrong_is_the_one_named() -> None:
    with pytest.raises(QuorumError) as caught:
        Quorum.parse(f"# words\n\n{witness('X1')}group g 2 X1\nquorum g\n")
    assert caught.value.line == 4


def test_space_is_spaces_and_tabs_and_words_mean_nothing() -> None:
    loose = f"\t#words\n  {witness('X1', '  https://w.example ')} \t quorum\tX1 \t\n"
    quorum = Quorum.parse(loose)
    assert (quorum.witnesses[0].url, quorum.name) == ("https://w.example", "X1")
    assert quorum.to_text() == f"{witness('X1', ' https://w.example')}quorum X1\n"


def test_names_may_be_words_of_any_script() -> None:
    assert Quorum.parse(f"{witness('цюрих')}quorum цюрих\n").satisfied_by({"цюрих"})


def test_thirty_two_of_each_are_read() -> None:
    lines = [witness(f"w{n}") for n in range(32)]
    lines += [f"group g{n} any w{n}\n" for n in range(31)]
    text = "".join(lines) + f"group g all w31 {' '.join(f'g{n}' for n in range(31))}\nquorum g\n"
    quorum = Quorum.parse(text)
    everybody = {f"w{n}" for n in range(32)}
    assert quorum.satisfied_by(everybody)
    assert not any(quorum.satisfied_by(everybody - {name}) for name in everybody)


def test_what_is_written_is_read_back_the_same() -> None:
    quorum = Quorum.parse(TWO_LEVELS)
    assert Quorum.parse(quorum.to_text()) == quorum


words = st.sampled_from(
    ["witness", "group", "quorum", "log", "none", "any", "all", "1", "2", "0", "#", "X1", "X2", "g"]
)
line = st.lists(words | st.text(max_size=6), max_size=6).map(" ".join)


@given(st.lists(line, max_size=8))
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    text = f"{witness('X1')}{witness('X2')}" + "\n".join(lines)
    try:
        quorum = Quorum.parse(text)
    except QuorumError as error:
        told = str(error)
    else:
        told = ""
        assert Quorum.parse(quorum.to_text()) == quorum
        assert quorum.satisfied_by({"X1", "X2"}), "every quorum can be met"
    assert "\n" not in told


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_more_witnesses_are_never_less(some: set[str], more: set[str]) -> None:
    quorum = Quorum.parse(TWO_LEVELS)
    assert quorum.satisfied_by(some | more) >= quorum.satisfied_by(some)
