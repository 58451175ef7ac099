"""Our own build of a claim: which runs of ours can check the work of others, and prove our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import StoreError
from builders.rebuild.rebuild_result import OutputKind
from pipelines.consensus.work_check import OwnBuild, read_own_build
from pipelines.evidence.salt import Salt, keep_salt
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.policy import ConsensusRules
from pipelines.storage.names import REPORT, Visibility, cas, private_twin
from tests.consensus.world import CONTENT, FILE, RELEASE, Site, World

Document = dict[str, Any]
SALT = Salt(secret=bytes(32))


def own_site() -> Site:
    site = World("ada")["ada-1"]
    site.run()
    return site


def report_key(site: Site) -> str:
    return private_twin(site.made().folder() + REPORT)


def change_report(site: Site, change: Callable[[Document], object]) -> None:
    """Change the full report of the center's one run."""
    document = json.loads(site.store.objects[report_key(site)][0])
    change(document)
    site.store.objects[report_key(site)] = [json.dumps(document).encode()]


def read(site: Site) -> OwnBuild | None:
    return read_own_build(site.store, RELEASE, "ada-1", site.made().run)


def drop_report(site: Site) -> None:
    del site.store.objects[report_key(site)], site.store.objects[site.made().folder() + REPORT]


def drop_bytes(site: Site) -> None:
    del site.store.objects[cas(Visibility.PRIVATE, Digest.of(CONTENT))]


UNUSABLE: dict[str, Callable[[Site], object]] = {
    "no-report": drop_report,
    "damaged-report": lambda site: site.store.objects.update({report_key(site): [b"rubbish"]}),
    "public-form-alone": lambda site: site.store.objects.pop(report_key(site)),
    "report-of-another-form": lambda site: change_report(site, lambda d: d.update(more=1)),
    "no-attempt": lambda site: change_report(site, lambda d: d.update(attempts=[])),
    "not-built": lambda site: change_report(site, lambda d: d.update(outcome="CANCELLED")),
    "one-output-gone": drop_bytes,
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_run_that_cannot_be_read_in_full_is_no_build(name: str) -> None:
    site = own_site()
    assert read(site) is not None
    UNUSABLE[name](site)
    assert read(site) is None


def test_a_store_that_does_not_answer_is_a_fault() -> None:
    site = own_site()
    site.store.fail_on("get")
    with pytest.raises(StoreError):
        read(site)


def test_an_ignored_output_is_no_part_of_the_build() -> None:
    """The seal leaves it out, and its bytes are not stored."""
    site = own_site()
    notes = {"name": "a.notes", "size": 1, "sha256": "e" * 64, "part": "ignored"}
    change_report(site, lambda d: d["attempts"][0]["rebuild"]["outputs"].append(notes))
    build = read(site)
    assert build is not None
    assert {output.name: output.part for output in build.outputs} == {
        FILE: OutputKind.ARTEFACT,
        "tool-dbgsym.deb": OutputKind.BY_PRODUCT,
    }


@pytest.mark.parametrize(("visibility", "salt"), [("private", SALT), ("public", None)])
def test_the_salt_is_for_private_releases_alone(visibility: str, salt: Salt | None) -> None:
    site = own_site()
    keep_salt(site.store, RELEASE, SALT)
    change_report(site, lambda d: d["environment"].update(visibility=visibility))
    build = read(site)
    assert build is not None
    assert build.salt == salt


@pytest.mark.parametrize(
    ("by_products", "proof"),
    [
        ({"tool-dbgsym.deb": b"symbols"}, Proof.PROVED),
        ({"marker": b"", "tool-dbgsym.deb": b"symbols"}, Proof.PROVED),
        ({"marker": b""}, Proof.NONE),
        ({}, Proof.NONE),
    ],
)
def test_our_own_work_is_proved_by_a_by_product_that_is_not_empty(
    by_products: dict[str, bytes], proof: Proof
) -> None:
    world = World("ada")
    world.rules = ConsensusRules(k=1)
    world["ada-1"].run(by_products=by_products)
    (one,) = world.consensus().artefacts
    assert (str(one.result), one.work_proof) == ("CONFIRMED", proof)
