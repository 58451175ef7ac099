"""The policy page: who counts since which version, and what each version changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from infra.bench.madeup import MadeUpKey
from pipelines.policy import Policy, SignedPolicy
from pipelines.policy.signed_policy import add_signature
from pipelines.portal.pages.policy import policy_page
from pipelines.portal.rendering import html
from tests.consensus.world import World

NOW = datetime(2026, 1, 9, tzinfo=UTC)


def signed(policy: Policy, *operators: str) -> SignedPolicy:
    found: SignedPolicy | None = None
    for name in operators:
        found = add_signature(policy, name, MadeUpKey(f"law {name}"), to=found)
    assert found is not None
    return found


def chain() -> tuple[SignedPolicy, SignedPolicy]:
    """Return two versions: the second has one center and operator more, and asks for more."""
    first = World("ada", "bob").policy
    second = World("ada", "bob", "cyd").policy
    rules = replace(second.consensus, k=3)
    later = replace(second, version=2, consensus=rules)
    return signed(first, "ada", "bob"), signed(later, "ada", "cyd")


def test_each_center_and_operator_counts_since_a_version() -> None:
    page = policy_page(chain(), NOW)
    assert [(one.center, one.since) for one in page.centers] == [
        ("ada-1", 1),
        ("bob-1", 1),
        ("cyd-1", 2),
    ]
    assert [(one.name, one.since) for one in page.operators] == [("ada", 1), ("bob", 1), ("cyd", 2)]


def test_the_fingerprint_is_that_of_the_first_version() -> None:
    first, second = chain()
    page = policy_page((first, second), NOW)
    assert (page.version, page.sha256, page.fingerprint) == (2, second.digest, first.digest)


def test_a_version_tells_what_it_changed_and_who_signed_it() -> None:
    newest, oldest = policy_page(chain(), NOW).versions
    assert (newest.version, newest.signed_by, newest.also_signed_by) == (
        2,
        ("ada", "cyd"),
        ("ada",),
    )
    changed = {change.part: (change.before, change.after) for change in newest.changes}
    assert changed["consensus of every kind: k"] == ("2", "3")
    assert changed["operator cyd: legal"] == (None, "Cyd Inc.")
    assert (oldest.version, oldest.changes, oldest.also_signed_by) == (1, (), ())


def test_the_rules_for_each_kind_are_listed() -> None:
    page = policy_page(chain(), NOW)
    assert [(one.kind, one.k) for one in page.rules] == [("every kind", 3)]


def test_a_policy_that_expires_is_warned_of() -> None:
    first, _ = chain()
    policy = replace(first.policy, expires=datetime(2026, 1, 12, tzinfo=UTC))
    page = policy_page([signed(policy, "ada", "bob")], NOW)
    assert page.warnings[0].startswith("the policy expires in 3 days")
    assert page.warnings[0] in html(page, "en").decode()
