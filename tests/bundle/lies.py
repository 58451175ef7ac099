"""Lies in a bundle: each is signed with the center's own key, and names the check that finds it."""

from __future__ import annotations

from builders.core.digest import Digest
from tests.bundle import stories
from tests.bundle.bundles import EVIDENCE, REPORT
from tests.bundle.explanationlies import EXPLANATION_LIES
from tests.bundle.formlies import FORM_LIES
from tests.bundle.tells import (
    ATTEMPT,
    COMPARISON,
    GRAFTING,
    LATER,
    OTHER,
    PROVENANCE,
    ROBUSTNESS,
    Lie,
    add,
    both,
    by_product,
    drop,
    in_card,
    in_every,
    in_one,
    in_report,
    member_of,
    swap,
    without,
)
from tests.signer.scene import OURS

_BUILD = "predicate/buildDefinition"
_GRAFT = "https://samebits.example/graft/v1"
_OURS = str(Digest.of(OURS))

LIES: dict[str, Lie] = {
    **FORM_LIES,
    **EXPLANATION_LIES,
    "moved-by-another-builder": Lie(
        "builder", in_one(ROBUSTNESS, "predicate/builder", "https://samebits.example/b"), "moved"
    ),
    "moved-rebuild-of-another-run": Lie(
        "run", in_one(ROBUSTNESS, "predicate/run", "20260102T030405Z-ffffffff"), "moved"
    ),
    "moved-rebuild-of-another-claim": Lie(
        "claim", in_one(ROBUSTNESS, "predicate/claim/sha256", OTHER), "moved"
    ),
    "card-of-another-builder": Lie(
        "builder", in_card("builder_id", "https://x.example/b"), policy=False
    ),
    "provenance-of-another-builder": Lie(
        "builder", in_one(PROVENANCE, "predicate/runDetails/builder/id", "https://x.example/b")
    ),
    "comparison-of-another-builder": Lie(
        "builder", in_one(COMPARISON, "predicate/builder", "https://x.example/b")
    ),
    "attempt-of-another-builder": Lie(
        "builder", in_one(ATTEMPT, "predicate/builder", "https://x.example/b")
    ),
    "report-no-json": Lie("report", add(REPORT, b"report")),
    "report-of-a-contradiction": Lie("report", in_report("artefacts/0/rebuilt/sha256", OTHER)),
    "report-with-a-field-more": Lie("report", in_report("verified", "yes")),
    "report-of-another-version": Lie("report", in_report("version", "1.11")),
    "report-of-another-run": Lie("report", in_report("run", "20260102T030405Z-ffffffff")),
    "provenance-of-another-run": Lie(
        "run",
        in_one(
            PROVENANCE, "predicate/runDetails/metadata/invocationId", "20260102T030405Z-ffffffff"
        ),
    ),
    "provenance-of-another-release": Lie(
        "run", in_one(PROVENANCE, f"{_BUILD}/externalParameters/release", "acme/rules@1.11")
    ),
    "comparison-of-another-run": Lie(
        "run", in_one(COMPARISON, "predicate/run", "20260102T030405Z-ffffffff")
    ),
    "comparison-of-another-release": Lie(
        "run", in_one(COMPARISON, "predicate/release", "acme/rules@1.11")
    ),
    "attempt-of-another-center": Lie("run", in_one(ATTEMPT, "predicate/center", "basel")),
    "card-of-another-center": Lie("inclusion", in_card("id", "basel"), policy=False),
    "attempt-finished-later": Lie(
        "times", in_one(ATTEMPT, "predicate/finishedOn", LATER), says="different times"
    ),
    "compared-later": Lie("times", in_one(COMPARISON, "predicate/comparedOn", LATER)),
    "provenance-started-later": Lie(
        "times", in_one(PROVENANCE, "predicate/runDetails/metadata/startedOn", LATER)
    ),
    "started-before-its-name": Lie(
        "times",
        both(
            in_every("attempt", "predicate/startedOn", "2026-01-02T03:04:04Z"),
            in_every(
                "provenance", "predicate/runDetails/metadata/startedOn", "2026-01-02T03:04:04Z"
            ),
        ),
    ),
    "finished-before-it-started": Lie(
        "times",
        both(
            in_every("attempt", "predicate/finishedOn", "2026-01-02T03:04:04Z"),
            in_every("comparison", "predicate/comparedOn", "2026-01-02T03:04:04Z"),
            in_every(
                "provenance", "predicate/runDetails/metadata/finishedOn", "2026-01-02T03:04:04Z"
            ),
        ),
    ),
    "older-than-the-policy-lets-count": Lie("version", stories.as_before_there_were_scopes),
    "sealed-without-a-build": Lie(
        "seal",
        in_one(ATTEMPT, "predicate/seal", {"sha256": OTHER}),
        "failed",
        says=f"none of a build; got {OTHER}",
    ),
    "report-exchanged": Lie(
        "signed-report", lambda a, _: a.members.update({REPORT: a.members[REPORT] + b" "})
    ),
    "report-that-one-attempt-does-not-name": Lie(
        "signed-report",
        in_one("attempt-2", "predicate/report", {"sha256": OTHER}),
        "retried",
    ),
    "comparison-of-another-scope": Lie(
        "scope", in_one(COMPARISON, "predicate/scope", {"sha256": OTHER})
    ),
    "provenance-of-another-claim": Lie(
        "claim", in_one(PROVENANCE, f"{_BUILD}/internalParameters/claim", {"sha256": OTHER})
    ),
    "comparison-of-another-claim": Lie(
        "claim", in_one(COMPARISON, "predicate/claim", {"sha256": OTHER})
    ),
    "attempt-of-another-claim": Lie("claim", in_one(ATTEMPT, "predicate/claim", {"sha256": OTHER})),
    "no-attempt": Lie("attempts", without(ATTEMPT)),
    "attempts-swapped": Lie("attempts", swap("attempt-1", "attempt-2"), "retried"),
    "attempt-numbered-two": Lie(
        "attempts", in_one(ATTEMPT, "predicate/number", 2), says="out of order"
    ),
    "attempt-only-confirming": Lie(
        "attempts", in_one(ATTEMPT, "predicate/purpose", "confirming"), says="out of order"
    ),
    "attempt-judged-twice": Lie(
        "attempts",
        in_one("attempt-2", "predicate/purpose", "judged"),
        "retried",
        says="out of order",
    ),
    "attempt-with-another-log": Lie("log", in_one(ATTEMPT, "predicate/log", {"sha256": OTHER})),
    "attempt-with-another-seal": Lie("seal", in_one(ATTEMPT, "predicate/seal", {"sha256": OTHER})),
    "attempt-without-a-seal": Lie("seal", in_one(ATTEMPT, "predicate/seal", None)),
    "run-built-by-no-attempt": Lie(
        "schema",
        both(
            in_one(ATTEMPT, "predicate/purpose", "run"),
            in_one(ATTEMPT, "predicate/seal", None),
            in_report("attempts", []),
        ),
        says="only BUILT by an attempt",
    ),
    "sealed-by-the-run-alone": Lie(
        "seal", in_one("attempt-2", "predicate/seal", {"sha256": OTHER}), "broken"
    ),
    "failed-attempt-sealed": Lie(
        "seal", in_one("attempt-1", "predicate/seal", {"sha256": OTHER}), "retried"
    ),
    "provenance-with-another-seal": Lie("seal", by_product("seal", digest={"sha256": OTHER})),
    "provenance-without-a-seal": Lie("seal", by_product("seal", name="sealed")),
    "comparison-about-other-bytes": Lie(
        "complete", in_one(COMPARISON, "subject/0/digest/sha256", OTHER)
    ),
    "comparison-about-nothing": Lie(
        "complete", in_one(COMPARISON, "predicate/shipped", None), "failed"
    ),
    "comparison-about-two-files": Lie(
        "complete",
        in_one(
            COMPARISON,
            "subject",
            [{"name": n, "digest": {"sha256": _OURS}} for n in ("rules.bin", "z")],
        ),
    ),
    "difference-left-out-everywhere": Lie("complete", stories.hidden, "different"),
    "artefact-published-otherwise": Lie(
        "complete",
        both(
            in_one(COMPARISON, "subject/0/digest/sha256", OTHER),
            in_one(COMPARISON, "predicate/shipped/published/sha256", OTHER),
        ),
    ),
    "artefact-under-another-name": Lie(
        "complete", in_one(COMPARISON, "subject/0/name", "other.bin")
    ),
    "attempt-names-an-artefact-more": Lie(
        "complete",
        lambda a, _: a.statement(
            ATTEMPT, lambda d: d["subject"].append({"name": "z", "digest": {"sha256": OTHER}})
        ),
    ),
    "provenance-of-other-bytes": Lie("built", in_one(PROVENANCE, "subject/0/digest/sha256", OTHER)),
    "provenance-of-a-file-more": Lie(
        "built",
        lambda a, _: a.statement(
            PROVENANCE, lambda d: d["subject"].append({"name": "z", "digest": {"sha256": OTHER}})
        ),
    ),
    "provenance-left-out": Lie(
        "built",
        both(
            drop(member_of(PROVENANCE)),
            in_every("comparison", "predicate/provenance", None),
        ),
    ),
    "comparison-of-another-provenance": Lie(
        "provenance", in_one(COMPARISON, "predicate/provenance", {"sha256": OTHER})
    ),
    "comparison-without-provenance": Lie(
        "provenance", in_one(COMPARISON, "predicate/provenance", None)
    ),
    "signed-file-without-provenance": Lie("grafted", without(GRAFTING), "signed"),
    "provenance-of-another-signed-file": Lie(
        "grafted", in_one(GRAFTING, "subject/0/digest/sha256", OTHER), "signed"
    ),
    "provenance-of-a-signed-file-more": Lie("grafted", stories.grafted_more, "signed"),
    "signed-file-of-another-recipe": Lie(
        "grafted", in_one(GRAFTING, f"{_BUILD}/externalParameters/recipe/sha256", OTHER), "signed"
    ),
    "signed-file-of-other-bytes": Lie(
        "grafted",
        in_one(GRAFTING, f"{_BUILD}/resolvedDependencies/0/digest", {"sha256": OTHER}),
        "signed",
    ),
    "signed-file-of-another-provenance": Lie(
        "grafted",
        in_one(GRAFTING, f"{_BUILD}/resolvedDependencies/0/annotations/provenance", OTHER),
        "signed",
    ),
    "signed-file-of-no-signature": Lie(
        "grafted", in_one(GRAFTING, f"{_BUILD}/resolvedDependencies/1", None), "signed"
    ),
    "signed-file-with-by-products": Lie(
        "grafted",
        in_one(
            GRAFTING,
            "predicate/runDetails/byproducts",
            [{"name": "a", "digest": {"sha256": OTHER}}],
        ),
        "signed",
        says="by-products",
    ),
    "signed-file-made-later": Lie(
        "times", in_one(GRAFTING, "predicate/runDetails/metadata/startedOn", LATER), "signed"
    ),
    "two-provenances-of-a-signed-file": Lie(
        "kinds", in_one(PROVENANCE, f"{_BUILD}/buildType", _GRAFT), "signed"
    ),
    "provenance-with-another-log": Lie("log", by_product("build.log", digest={"sha256": OTHER})),
    "provenance-without-the-log": Lie("log", by_product("build.log", name="other.log")),
    "by-product-with-a-plain-digest": Lie(
        "by-products", by_product("rules.debug", digest={"sha256": OTHER})
    ),
    "by-product-with-two-digests": Lie(
        "by-products", by_product("rules.debug", digest={"sha256": OTHER, "hmac_sha256": OTHER})
    ),
    "by-product-without-a-size": Lie(
        "by-products", by_product("rules.debug", annotations={"role": "by-product"})
    ),
    "by-product-of-no-size": Lie(
        "by-products", by_product("rules.debug", annotations={"role": "by-product", "size": "7x"})
    ),
    "shipped-file-among-the-inputs": Lie("inputs", stories.copied),
    "difference-called-identical": Lie("verdicts", stories.glossed, "different"),
    "signature-beside-identical": Lie(
        "verdicts",
        in_one(
            COMPARISON,
            "predicate/signature",
            {"fault": "unexpected-signer", "signers": [], "taken": 0, "carried": []},
        ),
    ),
    "signed-identical-without-a-signature": Lie(
        "verdicts", in_one(COMPARISON, "predicate/verdict", "IDENTICAL_SIGNED")
    ),
    "signature-grafted-onto-other-bytes": Lie(
        "verdicts",
        in_one(
            COMPARISON,
            "predicate/signature",
            {
                "format": "pe",
                "signers": [{"certificate": {"sha256": OTHER}}],
                "grafted": {"digest": {"sha256": OTHER}, "size": 1},
                "taken": 0,
                "carried": [],
            },
        ),
    ),
    "identical-on-another-ground": Lie(
        "verdicts", in_one(COMPARISON, "predicate/ground", "bytes-differ")
    ),
    "identical-of-another-size": Lie("verdicts", in_one(COMPARISON, "predicate/rebuilt/size", 1)),
    "unchecked-on-no-ground": Lie(
        "verdicts", in_one("comparison-2", "predicate/ground", "no-rebuild"), "unreachable"
    ),
    "served-called-unreachable": Lie("verdicts", stories.unchecked),
    "undeclared-output-of-other-bytes": Lie(
        "verdicts", in_one("comparison-3", "subject/0/digest/sha256", OTHER), "unexpected"
    ),
    "undeclared-output-called-unchecked": Lie("verdicts", stories.undeclared, "unexpected"),
    "judged-without-a-build": Lie(
        "verdicts", stories.passed_unbuilt, "failed", says="NOT_CHECKED, as nothing was built"
    ),
    "ledger-that-is-not-in-the-report": Lie(
        "ledgers", in_one(COMPARISON, "predicate/maskLedger/sha256", OTHER), "equivalent"
    ),
    "ledger-of-a-difference": Lie("ledgers", stories.difference_with_a_ledger, "equivalent"),
    "ledger-of-another-file": Lie(
        "ledgers", stories.ledger_of_another_file, "equivalent", says="another file"
    ),
    "ledger-of-another-size": Lie(
        "ledgers", stories.ledger_of_another_size, "equivalent", says="another file"
    ),
    "ledger-of-more-bytes-than-are-told": Lie(
        "ledgers", in_one(COMPARISON, "predicate/normalizers/0/masked", 2), "equivalent"
    ),
    "ledger-for-another-reason": Lie(
        "ledgers", in_one(COMPARISON, "predicate/normalizers/0/reason", "a typo"), "equivalent"
    ),
    "delta-on-what-is-no-base": Lie(
        "deltas", stories.delta_on_no_base, says="no base of the build"
    ),
    "moved-beside-nothing-judged": Lie(
        "tested", stories.moved_unbuilt, "failed", says="without a judged build"
    ),
    "moved-rebuild-of-another-attempt": Lie(
        "tested",
        in_one(ROBUSTNESS, "predicate/judged/sha256", OTHER),
        "moved",
        says="another attempt",
    ),
    "moved-rebuild-of-another-artefact": Lie(
        "tested", in_one(ROBUSTNESS, "subject/0/name", "z"), "moved", says="other artefacts"
    ),
    "moved-rebuild-before-the-run": Lie(
        "tested",
        in_one(ROBUSTNESS, "predicate/testedOn", "2026-01-02T03:04:05Z"),
        "moved",
        says="before",
    ),
    "moved-rebuild-held-against-other-bytes": Lie(
        "moved",
        both(
            *(
                in_one(ROBUSTNESS, f"predicate/artefacts/0/{n}/sha256", OTHER)
                for n in ("judged", "moved")
            )
        ),
        "moved",
        says="other bytes of rules.bin",
    ),
    "moved-rebuild-of-fewer-artefacts": Lie(
        "moved",
        lambda a, _: a.statement(ROBUSTNESS, lambda d: d["predicate"]["artefacts"].pop()),
        "moved",
    ),
    "moved-rebuild-of-more-artefacts": Lie("moved", stories.moved_more, "moved"),
    "moved-from-another-host": Lie(
        "moved", in_one(ROBUSTNESS, "predicate/moved/0/from", "vendor"), "moved", says="hostname"
    ),
    "moved-from-another-locale": Lie(
        "moved", in_one(ROBUSTNESS, "predicate/moved/5/from", "de"), "moved", says="locale"
    ),
    "moved-from-another-time-zone": Lie(
        "moved", in_one(ROBUSTNESS, "predicate/moved/4/from", "CET"), "moved", says="timezone"
    ),
    "moved-though-declared": Lie(
        "moved", stories.moved_declared, "moved-declared", says="folder-order"
    ),
    "moved-difference-called-the-same": Lie(
        "schema", in_one(ROBUSTNESS, "predicate/artefacts/1/same", value=True), "moved-apart"
    ),
    "moved-result-of-other-parts": Lie(
        "schema", in_one(ROBUSTNESS, "predicate/result", "same"), "moved-apart"
    ),
    "evidence-of-other-bytes": Lie("evidence", stories.wrong_evidence),
    "evidence-that-is-the-seal": Lie("evidence", stories.seal_as_evidence, says="by no statement"),
    "evidence-nobody-named": Lie("evidence", add(f"{EVIDENCE}{Digest.of(b'x')}", b"x")),
}
