"""A private release end to end: all that is public is searched for all that is not."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.core.digest import Digest, keyed_digest_stream
from builders.images.provide import ProvidedImage
from builders.rebuild.rebuild_result import OutputKind
from builders.rebuild.seal import SealedFile, seal_digest, seal_key
from pipelines.center.center import Center
from pipelines.cli.differences import explanation_of
from pipelines.evidence.privatekey import create_key
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.salt import read_salt
from pipelines.evidence.statements.people import Decision
from pipelines.evidence.stored_runs import find_run, read_report
from pipelines.policy import load_policy
from pipelines.policy.reviews.review_records import sign_reviews, stored_reviews
from pipelines.storage.names import Visibility, cas
from pipelines.verify.kept_seal import publish_seal_lines
from pipelines.verify.review_subject import recipe_subject, review_subject, standing_of
from pipelines.verify.session import Session
from tests.lab import explained, verified
from tests.policy.reviews.closed import ARCHIVE, TEXTS, files, write_private
from tests.policy.reviews.leaks import digest_needles, leaks, needles
from tests.policy.world import signed_file

SECRET_FILE = "hydra/src/quiet_engine_core.c"
OK = ["sh", "-c", "printf shipped > /out/out.bin"]


@pytest.fixture
def closed(tmp_path: Path, build_image: ProvidedImage, session: Session) -> Center:
    """A center of its own, whose policy wants one reviewer."""
    create_key(tmp_path / "reviewer", "ada")
    policy = signed_file(
        tmp_path, "reviewers: [{name: ada, key: reviewer/ada.pub}]\nreviews: {minimum: 1}\n"
    )
    home = tmp_path / "home"
    return Center(id="local", home=home, store=home / "store", policy=policy)


def approve(recipe: Path, center: Center) -> None:
    from pipelines.evidence.privatekey import load_key

    key = load_key(center.home.parent / "reviewer", "ada")
    session = Session(center)
    sign_reviews(
        recipe_subject(recipe, session).reviewed,
        session.store,
        key=key,
        reviewer="ada",
        decision=Decision.APPROVE,
        now=datetime.now(UTC),
    )


def run(recipe: Path, center: Center, *, reviewed: bool = True) -> Report:
    if reviewed:
        approve(recipe, center)
    with Session(center) as session:
        return verified(session, recipe)


def public(center: Center) -> Path:
    assert isinstance(center.store, Path)
    return center.store / "public"


def told(center: Center) -> Report:
    (path,) = public(center).rglob("report.json")
    return Report.model_validate_json(path.read_bytes())


def statements(center: Center, kind: str) -> list[dict[str, object]]:
    paths = sorted(public(center).rglob(f"{kind}-*.dsse.json"))
    return [json.loads(base64.b64decode(json.loads(p.read_bytes())["payload"])) for p in paths]


def guessed(center: Center, report: Report) -> dict[str, bytes]:
    """Return the seal and its lines, as who guesses the outputs can make them of what is public."""
    key, store = seal_key(report.center, report.run), Session(center).store
    lines = []
    for output in report.judged.rebuild.outputs if report.judged else ():
        if output.part is not OutputKind.IGNORED:
            with store.open(cas(Visibility.PRIVATE, output.sha256)) as stream:
                made = keyed_digest_stream(key, stream)
            lines.append(SealedFile(name=output.name, size=output.size, hmac=made))
    digests = [line.hmac for line in lines] + ([seal_digest(lines)] if lines else [])
    return digest_needles("the seal", *(bytes.fromhex(digest.hex) for digest in digests))


def assert_nothing_leaks(center: Center, recipe: Path, report: Report) -> None:
    wanted = needles(TEXTS, files())
    secret = [recipe.read_bytes()]
    for attempt in report.attempts:
        # The digest of nothing tells nothing: it is also the root of an empty log.
        if attempt.rebuild.log and attempt.rebuild.log != Digest.of(b""):
            wanted |= digest_needles("log", bytes.fromhex(attempt.rebuild.log.hex))
    for source in report.environment.sources:
        if source.source_digest:
            wanted |= digest_needles("source", bytes.fromhex(source.source_digest.hex))
    explanation = explanation_of(Session(center).store, report)
    for artefact in explanation.artefacts if explanation else ():
        for digest in (artefact.explanation.json_diff, artefact.explanation.html_diff):
            if digest:
                wanted |= digest_needles("diff", bytes.fromhex(digest.hex))
    if report.claim:
        wanted |= digest_needles("claim", bytes.fromhex(report.claim.hex))
    for data in secret:
        wanted |= digest_needles("recipe", bytes.fromhex(Digest.of(data).hex))
    wanted |= guessed(center, report)
    salt = read_salt(Session(center).store, ReleaseName.parse(report.release))
    assert salt is not None
    wanted |= digest_needles("salt", salt.secret)
    wanted["this machine"] = str(center.home).encode()
    assert leaks(public(center), wanted) == []


def test_a_private_release_that_matches_tells_only_that(closed: Center, tmp_path: Path) -> None:
    recipe = write_private(
        tmp_path / "acme",
        Session(closed).vault,
        [
            OK,
            ["sh", "-c", f"cp {SECRET_FILE} /out/ratchet_table.o; echo x > /out/hydra.notes"],
        ],
        by_products=["*.o"],
        ignore=["*.notes"],
    )
    report = run(recipe, closed)
    assert (report.outcome, report.verdict) == ("BUILT", "IDENTICAL"), report.reason
    publish_seal_lines(Session(closed), report.release, report.run)  # as if the outputs were lost
    assert_nothing_leaks(closed, recipe, report)
    (lines,) = statements(closed, "seal")
    assert lines["subject"] == [{"name": "seal", "digest": {"sha256": str(report.seal)}}]
    shown = told(closed)
    assert shown.verdict == "IDENTICAL"
    assert shown.artefacts[0].rebuilt == report.artefacts[0].rebuilt
    assert [f.name for f in shown.by_products] == ["by-product-1"]
    assert [r.name for r in shown.environment.reviews] == ["ada"]
    (made,) = statements(closed, "provenance")
    assert made["subject"] == [{"name": "out.bin", "digest": {"sha256": Digest.of(b"shipped").hex}}]


def test_the_whole_report_is_kept_in_private(closed: Center, tmp_path: Path) -> None:
    recipe = write_private(tmp_path / "acme", Session(closed).vault, [OK])
    report = run(recipe, closed)
    assert isinstance(closed.store, Path)
    (kept,) = (closed.store / "private" / "releases").rglob("report.json")
    assert Report.model_validate_json(kept.read_bytes()) == report
    store = Session(closed).store
    name = find_run(store, ReleaseName.parse(report.release))
    assert Report.model_validate(read_report(store, name, whole=True)) == report
    assert Report.model_validate(read_report(store, name)) == told(closed)


def test_a_build_that_fails_quoting_its_source(closed: Center, tmp_path: Path) -> None:
    recipe = write_private(
        tmp_path / "acme",
        Session(closed).vault,
        [["sh", "-c", f"cat {SECRET_FILE} >&2; echo error in {SECRET_FILE} >&2; exit 7"]],
    )
    report = run(recipe, closed)
    assert report.outcome == "BUILD_FAILED"
    assert "quiet_engine_core" in (report.reason or ""), "the operator is told"
    assert_nothing_leaks(closed, recipe, report)
    assert told(closed).reason == "exit code 7"
    (attempt,) = statements(closed, "attempt")
    assert attempt["predicate"]["exitCode"] == 7  # type: ignore[index]


def test_a_source_file_given_out_as_the_artefact_is_not_told_by_its_digest(
    closed: Center, tmp_path: Path
) -> None:
    recipe = write_private(
        tmp_path / "acme", Session(closed).vault, [["cp", SECRET_FILE, "/out/out.bin"]],
        explain="diffoscope",
    )  # fmt: skip
    report = run(recipe, closed)
    assert report.verdict == "DIFFERENT"
    (whole,) = explained(Session(closed), report).artefacts
    assert whole.explanation.html_diff
    assert_nothing_leaks(closed, recipe, report)
    (statement,) = statements(closed, "explanation")
    (artefact,) = statement["predicate"]["artefacts"]  # type: ignore[index]
    assert list(artefact["explanation"]["html"]) == ["hmac_sha256"]
    (made,) = statements(closed, "provenance")
    assert [list(s["digest"]) for s in made["subject"]] == [["hmac_sha256"]]  # type: ignore[attr-defined]


def test_an_output_that_nobody_declared_keeps_its_name_to_itself(
    closed: Center, tmp_path: Path
) -> None:
    recipe = write_private(
        tmp_path / "acme", Session(closed).vault, [OK, ["cp", SECRET_FILE, "/out/hydra.c"]]
    )
    report = run(recipe, closed)
    assert [f.verdict for f in report.artefacts] == ["IDENTICAL", "UNEXPECTED"]
    assert_nothing_leaks(closed, recipe, report)
    assert [f.name for f in told(closed).artefacts] == ["out.bin", "undeclared-1"]


def test_a_copied_input_is_told_in_a_word(closed: Center, tmp_path: Path) -> None:
    secret = files()[SECRET_FILE]
    recipe = write_private(
        tmp_path / "acme", Session(closed).vault, [["cp", ARCHIVE, "/out/out.bin"]], shipped=secret
    )
    report = run(recipe, closed)
    assert report.verdict == "NOT_CHECKED"
    shown = told(closed).artefacts[0].reason
    assert shown in {"no-rebuild", "copied-input"}


def test_a_source_that_the_vault_lacks_is_never_fetched(closed: Center, tmp_path: Path) -> None:
    recipe = write_private(tmp_path / "acme", Session(closed).vault, [OK], stocked=False)
    report = run(recipe, closed, reviewed=False)
    assert report.outcome == "INPUT_UNAVAILABLE"
    assert "samebits vault add" in (report.reason or "")
    assert_nothing_leaks(closed, recipe, report)


def test_without_a_review_nothing_is_built_and_nothing_told(closed: Center, tmp_path: Path) -> None:
    recipe = write_private(tmp_path / "acme", Session(closed).vault, [OK])
    report = run(recipe, closed, reviewed=False)
    assert (report.outcome, report.attempts) == ("SOURCE_NOT_REVIEWED", ())
    assert_nothing_leaks(closed, recipe, report)


def test_reviews_of_a_private_release_are_found_by_its_keyed_digests(
    closed: Center, tmp_path: Path
) -> None:
    recipe = write_private(tmp_path / "acme", Session(closed).vault, [OK])
    run(recipe, closed)
    question = review_subject("lab/acme@1", Session(closed))
    store = Session(closed).store
    found = list(stored_reviews(store))
    now = datetime.now(UTC)
    policy = load_policy(closed.policy, home=closed.home, now=now)
    standing = standing_of(question, found, policy, now)
    assert standing.summary() == "ada"
    assert question.reviewed == recipe_subject(recipe, Session(closed)).reviewed


def test_the_search_itself_finds_what_is_planted(tmp_path: Path) -> None:
    wanted = needles(TEXTS, files())
    digest = Digest.of(files()[SECRET_FILE]).hex
    planted = {
        "plain": b"x hydra x",
        "hex": digest.encode(),
        "payload": json.dumps({"payload": base64.b64encode(digest.encode()).decode()}).encode(),
        "raw": json.dumps({"d": base64.b64encode(bytes.fromhex(digest)).decode()}).encode(),
        "quoted": b"a vendor%20signing b",
    }
    for name, data in planted.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "record").write_bytes(data)
        assert leaks(folder, wanted), name
    (tmp_path / "names" / "quiet_engine_core").mkdir(parents=True)
    assert leaks(tmp_path / "names", wanted)
