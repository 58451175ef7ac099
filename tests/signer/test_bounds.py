"""What is just within the bounds of the checks is signed, and differences are shown shortly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Role
from builders.core.errors import InfrastructureError
from builders.inputs.vault import Vault
from builders.jail import JailEnd, JailFailedError
from builders.locators.dsc import MAX_DSC_BYTES
from builders.recipe.recipe import Input
from pipelines.center.center import Center
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.privatekey import PrivateKey, create_key
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import release_salt
from pipelines.log.checkpoint import Checkpoint
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.local_signer import log_signer
from pipelines.signer.opened_evidence import equal
from pipelines.signer.orders import Evidence
from tests.fakes.jail import OpenJail
from tests.fakes.store import MemoryStore
from tests.signer.conftest import Stage
from tests.signer.lie import Document
from tests.signer.lies import LIES
from tests.signer.scene import OURS


def report(**changes: object) -> Callable[[Document], None]:
    return lambda e: e["report"].update(changes)


def environment(**changes: object) -> Callable[[Document], None]:
    return lambda e: e["report"]["environment"].update(changes)


def rebuild(**changes: object) -> Callable[[Document], None]:
    return lambda e: e["report"]["attempts"][0]["rebuild"].update(changes)


def explanation(**changes: object) -> Callable[[Document], None]:
    return lambda e: e["explanation"].update(changes)


def robustness(**changes: object) -> Callable[[Document], None]:
    return lambda e: e["moved"].update(changes)


def _in_no_time(evidence: Document) -> None:
    report(timings={"total": 0.0})(evidence)
    rebuild(wall_seconds=0)(evidence)


def _explained_in_one_form(evidence: Document) -> None:
    evidence["explanation"]["artefacts"][0]["explanation"]["html"] = None


WITHIN: dict[str, tuple[str, Callable[[Document], None]]] = {
    "a run that took no time": ("failed", _in_no_time),
    "a run of thirty days": (
        "failed", report(run="20251203T033000Z-0a1b2c3d", timings={"total": 2_592_000.0}),
    ),
    "a run that ends as late as a clock may be ahead": (
        "failed", report(timings={"total": 1855.0}),
    ),
    "a build of a second more than the run": ("failed", rebuild(wall_seconds=3.25)),
    "a failure that nobody timed": ("failed", rebuild(wall_seconds=None)),
    "a failure without a log": ("failed", rebuild(log=None)),
    "a run that ended before the image was known": ("unavailable", environment(image_config=None)),
    "a run that ended before the sources were there": ("unavailable", environment(sources=[])),
    "an explanation in one form": ("different", _explained_in_one_form),
    "an explanation at the end of the run": (
        "different", explanation(explained_on="2026-01-02T03:04:08Z"),
    ),
    "an explanation as late as a clock may be ahead": (
        "different", explanation(explained_on="2026-01-02T03:35:00Z"),
    ),
    "a robustness rebuild at the end of the run": (
        "moved", robustness(tested_on="2026-01-02T03:04:08Z"),
    ),
    "a robustness rebuild as late as a clock may be ahead": (
        "moved", robustness(tested_on="2026-01-02T03:35:00Z"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WITHIN)
def test_what_is_within_the_bounds_is_signed(stage: Stage, key: PrivateKey, name: str) -> None:
    of, change = WITHIN[name]
    scene = stage(of)
    document = scene.make().to_dict()
    change(document)
    assert scene.signer(key).sign(Evidence.from_bytes(canonical_json(document)))


@pytest.mark.parametrize(
    ("got", "expected", "shown"),
    [
        (["a", "b"], ["a", "c"], ("b", "c")),
        (["a"], ["a", "b"], ("nothing", "b")),
        (["a"], None, ("['a']", "nothing")),
        (None, ["a"], ("nothing", "['a']")),
        ("é" * 400, "'\n", ("\\xe9" * 75, "'\\n")),
    ],
)
def test_the_first_difference_is_shown(
    got: object, expected: object, shown: tuple[str, str]
) -> None:
    condition = equal("check", "error", got, expected)
    assert not condition.holds
    assert (condition.got, condition.expected) == shown


def test_a_recipe_of_steps_comes_without_a_script(stage: Stage, key: PrivateKey) -> None:
    scene = replace(stage("identical"), build={"script": None, "steps": [["true"]]})
    evidence = scene.make()
    assert evidence.script is None
    assert scene.signer(key).sign(evidence)
    with pytest.raises(RefusedError, match="the script is not that of the recipe"):
        scene.signer(key).sign(evidence.model_copy(update={"script": b"#!/bin/sh\n"}))


def test_an_image_without_a_lock_is_not_known(stage: Stage, key: PrivateKey) -> None:
    lie, scene = LIES["image-that-the-center-has-no-lock-of"], stage("identical")
    document = scene.make().to_dict()
    lie.tell(document, scene)
    with pytest.raises(RefusedError, match="does not know that builder image"):
        scene.signer(key).sign(Evidence.from_bytes(canonical_json(document)))


def test_no_input_is_searched_for_a_run_that_built_nothing(stage: Stage, key: PrivateKey) -> None:
    scene = stage("failed")
    evidence = scene.make()
    del scene.store.objects[Vault.key(Digest.of(b"a tool\n"))]
    assert scene.signer(key).sign(evidence)


class Rows:
    """A cache of contents."""

    def __init__(self) -> None:
        self.rows: dict[Digest, bytes] = {}

    def get(self, digest: Digest) -> bytes | None:
        return self.rows.get(digest)

    def put(self, digest: Digest, row: bytes) -> None:
        self.rows[digest] = row


def test_inputs_may_be_in_a_vault_of_their_own(stage: Stage, key: PrivateKey) -> None:
    scene, other = stage("identical"), MemoryStore()
    evidence = scene.make()
    for name in [name for name in scene.store.objects if name.startswith("private/vault/")]:
        other.objects[name] = scene.store.objects.pop(name)
    assert replace(scene.signer(key), vault=Vault(other)).sign(evidence)
    with pytest.raises(RefusedError, match="not in the vault"):
        scene.signer(key).sign(evidence)


def test_an_input_whose_contents_are_not_known_is_hashed(stage: Stage, key: PrivateKey) -> None:
    lie, scene = LIES["input-changed-in-the-vault"], stage("identical")
    evidence = scene.make()
    lie.tell(evidence.to_dict(), scene)
    with pytest.raises(RefusedError, match="other bytes in the vault"):
        replace(scene.signer(key), cache=Rows()).sign(evidence)


def test_an_input_whose_contents_are_known_is_not_hashed_again(
    stage: Stage, key: PrivateKey
) -> None:
    scene = stage("identical")
    evidence = scene.make()
    signer = replace(scene.signer(key), cache=Rows())
    signed = signer.sign(evidence)
    del scene.store.objects[Vault.key(Digest.of(b"a tool\n"))]
    assert signer.sign(evidence) == signed


DSC = b"""Source: rules
Checksums-Sha256:
 %s 57 rules.tar
""" % Digest.of(OURS).hex.encode()


def files_of(name: str, data: bytes, role: Role = Role.SOURCE) -> list[str]:
    """Return the files of an input of that name, in a vault that has one more file."""
    store = MemoryStore()
    for content in (data, OURS):
        store.objects[Vault.key(Digest.of(content))] = [content]
    item = Input.model_validate(
        {"role": role, "locator": f"file:{name}", "sha256": str(Digest.of(data))}
    )
    return [file.name for file in ByteSource(store, Vault(store), OpenJail()).input_files(item)]


def test_a_source_package_has_the_files_that_it_names() -> None:
    assert files_of("rules.dsc", DSC) == ["rules.dsc", "rules.tar"]
    assert files_of("rules.txt", DSC) == ["rules.txt"]
    assert files_of("rules.dsc", DSC, Role.TOOLCHAIN) == ["rules.dsc"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"no package", "a source package cannot be read"),
        (DSC.ljust(MAX_DSC_BYTES + 1, b"\n"), "a source package cannot be read"),
        (
            DSC.replace(Digest.of(OURS).hex.encode(), b"0" * 64),
            "input rules.tar is not in the vault",
        ),
    ],
    ids=["no package", "too large", "a file that is not there"],
)
def test_a_source_package_that_is_not_whole_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(RefusedError, match=says) as caught:
        files_of("rules.dsc", data)
    assert caught.value.check == "input-bytes"


def test_a_source_that_the_jail_does_not_read_in_time_is_no_refusal(
    stage: Stage, key: PrivateKey
) -> None:
    scene = stage("identical")
    late = OpenJail(JailFailedError(JailEnd.TIMED_OUT, "too slow", got="20 s"))
    signer = replace(scene.signer(key), jail=late)
    with pytest.raises(InfrastructureError, match="was not read"):
        signer.sign(scene.make())


@pytest.mark.parametrize("name", ["identical", "moved"])
def test_of_a_closed_source_only_keyed_digests_are_signed(
    stage: Stage, key: PrivateKey, name: str
) -> None:
    scene = replace(stage(name), visibility="private")
    evidence = scene.make()
    with pytest.raises(RefusedError, match="no salt") as caught:
        scene.signer(key).sign(evidence)
    assert caught.value.check == "salt"
    release_salt(scene.store, ReleaseName.parse(evidence.report.release))
    with pytest.raises(RefusedError) as caught:  # its seal was made without the salt
        scene.signer(key).sign(evidence)
    assert caught.value.check == "seal"
    evidence = scene.make()
    signed = b"".join(envelope.payload for envelope in scene.signer(key).sign(evidence))
    (source,) = evidence.report.environment.sources
    secret = [source.sha256, source.source_digest, evidence.report.claim, evidence.sbom]
    if evidence.robustness is not None:
        secret += [output.sha256 for output in evidence.robustness.rebuild.outputs[1:2]]
    assert not [digest for digest in secret if str(digest).encode() in signed]
    assert b"hmac" in signed


def test_the_signer_of_a_log_remembers_what_it_signed(stage: Stage) -> None:
    center: Center = stage("identical").center
    own = create_key(center.key_folder, "log")
    head = Checkpoint(origin=center.origin, size=1, root=bytes(32))
    signature = log_signer(center).sign(None, head, [])
    assert own.public.verifies(signature, head.to_text().encode())
    assert log_signer(center).newest() == head
