"""Comments and questions: whose they are, what becomes of a question, and what stays private."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import UsageError
from pipelines.evidence.clocks import SKEW
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.comment import (
    Comment,
    CommentContent,
    CommentKind,
    CommentStatement,
)
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import Policy, Reviewer
from pipelines.policy.model import Operator
from pipelines.policy.reviews.comment_records import (
    COMMENTS,
    comment_key,
    keep_said,
    read_comment,
    read_said,
    sign_comment,
    stored_comments,
    stored_said,
)
from pipelines.policy.reviews.comments import (
    Discussion,
    QuestionState,
    ReadComment,
    read_discussion,
)
from pipelines.policy.reviews.count import ReviewExclusion, ReviewTarget
from pipelines.policy.reviews.review_records import MAX_REVIEW, keep_review
from pipelines.storage.names import private_twin
from pipelines.storage.store import DamagedError
from tests.fakes.store import MemoryStore
from tests.policy.reviews.people import (
    ADA,
    BOB,
    CLAIM,
    CLEO,
    EVE,
    NOW,
    OTHER_SOURCE,
    REVIEWED,
    SCOPE,
    SOURCE,
    THE_CLAIM,
    THE_SCOPE,
    THE_SOURCE,
    Person,
    policy,
    signed,
)

SALT = Salt(secret=b"s" * 32)
CLOSED = ReviewTarget.of([SOURCE], CLAIM, SALT, scope=SCOPE)
TEXT = CommentContent(text="Why?", path="src/quiet.c", line=3)
ASKED = CommentKind.QUESTION
PLACE: dict[str, Any] = {"path": "a", "line": 3}


def said(
    author: str,
    person: Person,
    kind: CommentKind = ASKED,
    *,
    question: ReadComment | None = None,
    source: DigestSet = THE_SOURCE,
    ago: timedelta = timedelta(hours=1),
    text: str = "Why?",
) -> ReadComment:
    content = None if kind is CommentKind.WITHDRAWAL else CommentContent(text=text)
    comment = Comment(
        author=author,
        kind=kind,
        content=content,
        question=question.statement.digest() if question else None,
        said_on=NOW - ago,
    )
    statement = CommentStatement.of(comment, source=source, claim=THE_CLAIM, scope=THE_SCOPE)
    envelope = sign_envelope(statement.to_bytes(), person)
    name = comment_key(envelope)
    return ReadComment(name=name, envelope=envelope, statement=statement, content=content)


def read(*records: ReadComment, people: Policy | None = None) -> Discussion:
    return read_discussion(records, people or policy(), REVIEWED.sources, NOW)


QUESTION = said("ada", ADA)


def states(*records: ReadComment) -> list[str]:
    return [str(question.state) for question in read(*records).questions]


def test_a_question_is_open_until_somebody_else_answers_it() -> None:
    answer = said("bob", BOB, CommentKind.ANSWER, question=QUESTION)
    assert states(QUESTION) == ["open"]
    assert states(answer, QUESTION) == ["answered"], "in whichever order they are read"
    assert read(QUESTION, answer).open == 0


def test_who_asks_does_not_answer() -> None:
    own = said("ada", ADA, CommentKind.ANSWER, question=QUESTION)
    assert states(QUESTION, own) == ["open"]
    assert len(read(QUESTION, own).questions[0].answers) == 1, "it is shown all the same"
    twice = said("bob", ADA, CommentKind.ANSWER, question=QUESTION)
    found = read(QUESTION, twice, people=policy(ada=ADA, bob=ADA))
    assert found.questions[0].state is QuestionState.OPEN, "another name with the same key"


def test_another_key_of_who_asks_answers_nothing_either() -> None:
    people = policy(ada=ADA)
    people = replace(people, reviewers=(*people.reviewers, Reviewer(name="ada", key=BOB.public)))
    own = said("ada", BOB, CommentKind.ANSWER, question=QUESTION)
    assert read(QUESTION, own, people=people).open == 1


def test_an_operator_answers_too_unless_its_key_is_revoked() -> None:
    ministry = Operator(name="ministry", legal="The Ministry", key=EVE.public)
    answer = said("ministry", EVE, CommentKind.ANSWER, question=QUESTION)
    people = replace(policy(), operators=(ministry,))
    assert read(QUESTION, answer, people=people).open == 0
    revoked = replace(people, revoked=frozenset({EVE.public.keyid}))
    assert read(QUESTION, answer, people=revoked).open == 1


def test_everything_is_told_oldest_first() -> None:
    hours = [timedelta(hours=number) for number in (3, 2, 1)]
    asked = [said("ada", ADA, ago=ago, text=f"{ago}?") for ago in hours]
    comments = [said("bob", BOB, CommentKind.COMMENT, ago=ago, text=f"{ago}.") for ago in hours]
    answers = [said("bob", BOB, CommentKind.ANSWER, question=asked[2], ago=a) for a in hours]
    strangers = [said(name, EVE) for name in ("dan", "eve")]
    found = read(*reversed([*asked, *comments, *answers, *strangers]))
    told = found.to_dict()
    digests = [[str(r.statement.digest()) for r in rows] for rows in (asked, comments, answers)]
    assert [q["id"] for q in told["questions"]] == digests[0]
    assert [c["id"] for c in told["comments"]] == digests[1]
    assert [a["id"] for a in told["questions"][2]["answers"]] == digests[2]
    assert [one["author"] for one in told["not_counted"]] == ["dan", "eve"]
    assert found.open == 2


def test_a_discussion_is_plain_data() -> None:
    withdrawal = said("ada", ADA, CommentKind.WITHDRAWAL, question=QUESTION, ago=timedelta())
    told = read(QUESTION, withdrawal, said("eve", EVE)).to_dict()
    assert told == {
        "questions": [
            {
                "id": str(QUESTION.statement.digest()),
                "author": "ada",
                "key": ADA.public.keyid,
                "said_on": "2026-03-01T11:00:00Z",
                "claim": str(CLAIM),
                "content": {"text": "Why?"},
                "state": "withdrawn",
                "answers": [],
                "withdrawn_on": "2026-03-01T12:00:00Z",
            }
        ],
        "comments": [],
        "not_counted": [
            {
                "author": "eve",
                "key": EVE.public.keyid,
                "why": "its key is not in the policy",
            }
        ],
    }
    private = replace(QUESTION, content=None)
    assert read(private).to_dict()["questions"][0]["content"] is None
    assert read(private).to_dict()["questions"][0]["withdrawn_on"] is None


@pytest.mark.parametrize(("ahead", "open_questions"), [(SKEW, 1), (SKEW + timedelta(seconds=1), 0)])
def test_clocks_may_differ_a_little(ahead: timedelta, open_questions: int) -> None:
    assert read(said("ada", ADA, ago=-ahead)).open == open_questions


def test_only_who_asked_withdraws() -> None:
    mine = said("ada", ADA, CommentKind.WITHDRAWAL, question=QUESTION)
    anothers = said("bob", BOB, CommentKind.WITHDRAWAL, question=QUESTION)
    assert states(QUESTION, mine) == ["withdrawn"]
    found = read(QUESTION, anothers)
    assert found.questions[0].state is QuestionState.OPEN
    assert [one.why for one in found.excluded] == [ReviewExclusion.NOT_ITS_AUTHOR]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (said("eve", EVE), ReviewExclusion.UNKNOWN_KEY),
        (said("ada", EVE), ReviewExclusion.BAD_SIGNATURE),
        (said("ada", BOB), ReviewExclusion.BAD_SIGNATURE),
        (said("ada", ADA, source=DigestSet(sha256=OTHER_SOURCE)), ReviewExclusion.OTHER_SOURCE),
        (said("ada", ADA, ago=timedelta(days=-2)), ReviewExclusion.FUTURE),
        (
            said("bob", BOB, CommentKind.ANSWER, question=said("ada", ADA, text="Else?")),
            ReviewExclusion.NO_QUESTION,
        ),
    ],
    ids=["stranger", "forged", "name-of-another", "source", "future", "no-question"],
)
def test_what_does_not_count_is_told_and_not_shown(
    record: ReadComment, why: ReviewExclusion
) -> None:
    found = read(record)
    assert (found.questions, found.comments) == ((), ())
    assert [one.why for one in found.excluded] == [why]


def test_a_revoked_key_says_nothing() -> None:
    found = read_discussion([QUESTION], policy(revoked=(ADA,)), REVIEWED.sources, NOW)
    assert not found.questions


def test_a_forged_answer_answers_nothing() -> None:
    forged = said("bob", EVE, CommentKind.ANSWER, question=QUESTION)
    assert states(QUESTION, forged) == ["open"]


def kept(store: MemoryStore, target: ReviewTarget, salt: Salt | None) -> str:
    return sign_comment(
        target,
        store,
        key=CLEO,
        author="cleo",
        kind=ASKED,
        content=TEXT,
        question=None,
        salt=salt,
        now=NOW,
    )


def test_a_comment_is_a_record_that_is_read_again() -> None:
    store = MemoryStore()
    name = kept(store, REVIEWED, None)
    assert name.startswith(f"{COMMENTS}{SOURCE}/cleo-20260301T120000Z-")
    (record,) = stored_comments(store, THE_SOURCE)
    assert (record.name, record.content) == (name, TEXT)
    assert list(store.list("private/")) == []
    assert read(record).questions[0].asked.author == "cleo"


def test_the_text_about_closed_source_stays_private() -> None:
    store = MemoryStore()
    name = kept(store, CLOSED, SALT)
    public = store.get(name, 1 << 20)
    payload = next(iter(stored_comments(store, CLOSED.sources[0]))).envelope.payload
    for told in (TEXT.text, "quiet.c", str(SOURCE), str(TEXT.digest())):
        assert told.encode() not in public + payload
    (stranger,) = stored_comments(store, CLOSED.sources[0])
    assert stranger.content is None
    found = read_discussion([stranger], policy(), CLOSED.sources, NOW)
    assert found.questions[0].state is QuestionState.OPEN, "a partner sees the state"
    (inside,) = stored_comments(store, CLOSED.sources[0], SALT)
    assert inside.content == TEXT


def test_another_text_than_the_signed_one_is_not_shown() -> None:
    store, other = MemoryStore(), MemoryStore()
    name = kept(store, CLOSED, SALT)
    other.put_record(name, store.get(name, 1 << 20))
    other.put_record(private_twin(name), CommentContent(text="Approve!").to_bytes())
    (record,) = stored_comments(other, CLOSED.sources[0], SALT)
    assert record.content is None


def test_a_private_text_that_is_gone_or_no_text_is_not_shown() -> None:
    for twin in (None, b"x" * (MAX_REVIEW + 1), b"{}"):
        store, other = MemoryStore(), MemoryStore()
        name = kept(store, CLOSED, SALT)
        other.put_record(name, store.get(name, 1 << 20))
        if twin is not None:
            other.put_record(private_twin(name), twin)
        (record,) = stored_comments(other, CLOSED.sources[0], SALT)
        assert record.content is None


def test_a_private_text_that_is_damaged_is_not_shown() -> None:
    store = MemoryStore()
    kept(store, CLOSED, SALT)
    damaged = DamagedError("the object is damaged", got="other bytes")
    store.fail_on("get", after=1, error=damaged)
    (record,) = stored_comments(store, CLOSED.sources[0], SALT)
    assert record.content is None


def test_a_question_about_closed_source_is_withdrawn() -> None:
    store = MemoryStore()
    kept(store, CLOSED, SALT)
    (asked,) = stored_comments(store, CLOSED.sources[0])
    name = sign_comment(
        CLOSED,
        store,
        key=CLEO,
        author="cleo",
        kind=CommentKind.WITHDRAWAL,
        content=None,
        question=asked.statement.digest(),
        salt=SALT,
        now=NOW,
    )
    assert len(list(store.list("private/"))) == 1
    store.put_record(private_twin(name), TEXT.to_bytes())
    found = read_discussion(
        stored_comments(store, CLOSED.sources[0], SALT), policy(), CLOSED.sources, NOW
    )
    assert [question.state for question in found.questions] == [QuestionState.WITHDRAWN]


def test_what_is_no_comment_hides_none() -> None:
    store = MemoryStore()
    name = kept(store, REVIEWED, None)
    review = signed("ada", ADA).to_bytes()
    for record, data in (("0", b"no comment"), ("00", review)):
        store.put_record(f"{COMMENTS}{SOURCE}/{record}{SUFFIX}", data)
    assert [record.name for record in stored_comments(store, THE_SOURCE)] == [name]
    with pytest.raises(MalformedError):
        read_comment(review)


def test_comments_and_reviews_travel_together() -> None:
    store, other = MemoryStore(), MemoryStore()
    comment, review = kept(store, REVIEWED, None), keep_review(store, signed("ada", ADA))
    found = [record.envelope for record in stored_said(store)]
    data = [envelope.to_bytes() for envelope in found if envelope]
    assert [keep_said(other, read_said(one)) for one in data] == [review, comment]
    for name in (review, comment):
        assert other.get(name, 1 << 20) == store.get(name, 1 << 20)


def test_a_comment_names_a_scope() -> None:
    unscoped = ReviewTarget.named([SOURCE], CLAIM, scope=None, keyed=False)
    with pytest.raises(UsageError, match="a comment names a scope"):
        kept(MemoryStore(), unscoped, None)


def test_what_no_comment_can_say_is_not_signed() -> None:
    store = MemoryStore()
    for fields in ({"author": "Ada Lovelace"}, {"question": Digest("a" * 64)}, {"content": None}):
        given: dict[str, Any] = {"author": "ada", "content": TEXT, "question": None, **fields}
        with pytest.raises(UsageError, match="no comment can say that"):
            sign_comment(REVIEWED, store, key=ADA, kind=ASKED, salt=None, now=NOW, **given)
    assert not list(store.list(COMMENTS))


@pytest.mark.parametrize("text", ["", " a", "a\n", "a\x1b[2J", "a\u202eb", "x" * 4001])
def test_a_text_is_printable_lines(text: str) -> None:
    with pytest.raises(ValueError, match="text"):
        CommentContent(text=text)


def test_a_place_is_a_file_and_a_line_of_it() -> None:
    places = [CommentContent(text="x", **at).place for at in ({}, {"path": "a"}, PLACE)]
    assert places == ["", "a", "a:3"]
    with pytest.raises(ValueError, match="a path with the line"):
        CommentContent(text="x", line=3)


def test_a_private_text_is_named_by_a_keyed_digest_alone() -> None:
    with pytest.raises(ValueError, match="a keyed digest of the content"):
        Comment(author="ada", kind=ASKED, keyed=DigestSet(sha256=SOURCE), said_on=NOW)


def test_plain_content_does_not_go_with_keyed_subjects() -> None:
    comment = Comment(author="ada", kind=ASKED, content=TEXT, said_on=NOW)
    about = {"source": CLOSED.sources[0], "claim": CLOSED.claim, "scope": CLOSED.scope}
    with pytest.raises(ValueError, match="keyed content"):
        CommentStatement.of(comment, **about)  # type: ignore[arg-type]
