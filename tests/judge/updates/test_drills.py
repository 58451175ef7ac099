"""Every fault of an update that has a name is provoked, by at least sixty drills in all."""

from __future__ import annotations

from collections import Counter

from pipelines.judge.signatures.signature_format import SignatureFault
from pipelines.judge.updates.update_fault import UpdateFault
from tests.judge.updates import (
    manifest_tricks,
    test_cdiff,
    test_check_deltas,
    test_clamsign,
    test_rauc_manifests,
)
from tests.judge.updates.delta_tricks import TRICKS
from tests.judge.updates.ostree_tricks import OSTREE_TRICKS
from tests.judge.updates.rpm_delta_tricks import RPM_TRICKS

FAULTS = Counter(
    [
        *(
            trick.fault
            for tricks in (TRICKS, OSTREE_TRICKS, RPM_TRICKS)
            for trick in tricks.values()
        ),
        *(drill.fault for drill in test_cdiff.DRILLS.values()),
        *(fault for fault, *_ in manifest_tricks.DRILLS.values()),
        *(fault for fault, _ in test_rauc_manifests.DRILLS.values()),
        *(fault for fault, _ in test_clamsign.DRILLS.values()),
        *(reason for _, reason, *_ in test_clamsign.LACKING.values()),
        *(reason.partition(":")[0] for *_, reason in test_check_deltas.CASES),
    ]
)
"""How many drills each fault has; each of them runs in the test that its table is of."""


def test_every_fault_is_provoked() -> None:
    external = {SignatureFault.EXTERNAL_MISSING, SignatureFault.EXTERNAL_REFUSED}
    assert {*UpdateFault, *external} - FAULTS.keys() == set()
    assert sum(FAULTS[fault] for fault in UpdateFault) >= 60
