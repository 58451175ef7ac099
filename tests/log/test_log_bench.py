"""`samebits bench log` measures what it says it does."""

from __future__ import annotations

from infra.bench.log import measure


def test_a_small_log_is_measured() -> None:
    told: list[int] = []
    figures = measure(1300, told.append, proofs=3)
    assert told == [1000, 1300]
    assert figures["leaves"] == 1300
    assert len(figures["batch_seconds_at_end"]["values"]) == 1
    # commit, four bundles, four tiles, one above, two checkpoints; then three and three
    assert figures["objects_per_batch"] == {"median": 11, "max": 12, "last": 10}
    assert figures["proof"]["tiles_max"] == 1
    assert figures["proof"]["tiles_of_a_stranger"] == {"right_edge_once": 2, "proof": 1}
    assert list(figures["check"]) == ["130", "1300"]
    assert all(found["leaves_per_second"] > 0 for found in figures["check"].values())
