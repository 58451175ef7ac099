"""The signed policies as the portal publishes them: from the first one it has known, in order.

A visitor compares the fingerprint of the first, the SHA-256 of its payload, with what its operators
have published elsewhere. Each later one is signed by a threshold of those before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from builders.core.digest import canonical_json
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.strictjson import read_object
from pipelines.policy import SignedPolicy, read_signed
from pipelines.policy.signed_policy import MAX_FILE, check_operator_signatures, check_step
from pipelines.portal.digest_index import with_style
from pipelines.portal.site_file import SiteFile

SCHEMA = "samebits/portal/policies/v1"
CHAIN = "policy/chain.json"
_MOST = 1000


def chain_to(policy: SignedPolicy, earlier: Iterable[SignedPolicy]) -> tuple[SignedPolicy, ...]:
    """Return the policies from the first one of `earlier` to `policy`, which counts now.

    Only `policy` where they do not lead to it.
    """
    versions = {one.policy.version: one for one in earlier}
    found = [versions[n] for n in sorted(versions) if n < policy.policy.version]
    try:
        for one in found:
            check_operator_signatures(one)
        for old, new in pairwise([*found, policy]):
            check_step(old, new)
    except EvidenceError:
        return (policy,)
    return (*found, policy)


def read_chain(data: bytes) -> tuple[SignedPolicy, ...]:
    """Return the policies of an earlier generation; none where they cannot be read."""
    try:
        listed: list[Any] = read_object(data, what=CHAIN, limit=_MOST * MAX_FILE)["policies"]
        envelopes = [canonical_json(one["envelope"]) for one in listed]
        return tuple(read_signed(one, accepted_before=True) for one in envelopes)
    except (EvidenceError, KeyError, TypeError):
        return ()


def chain_files(chain: Iterable[SignedPolicy]) -> Iterator[SiteFile]:
    """Yield the policies of a chain: each as a file, and all in one document."""
    listed = [
        {
            "version": one.policy.version,
            "sha256": str(one.digest),
            "envelope": one.envelope.to_dict(),
        }
        for one in chain
    ]
    for one in listed:
        yield SiteFile(
            f"policy/{one['version']}.dsse.json", canonical_json(one["envelope"]) + b"\n"
        )
    document = {"schema": SCHEMA, "policies": listed}
    yield from with_style(CHAIN.removesuffix(".json"), document)
