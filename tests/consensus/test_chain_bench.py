"""The benchmark of chains measures what it says: links that count, and no more of each."""

from __future__ import annotations

import json

from click.testing import CliRunner

from infra.bench.updates_command import chain


def test_the_last_update_of_a_chain_stands_beside_the_first_one() -> None:
    done = CliRunner().invoke(chain, ["--links", "3", "--runs", "1", "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert (figures["links"], figures["centers"]) == (3, 3)
    for what in ("base_lookup", "consensus_in_round", "consensus_alone"):
        assert figures[what].keys() == {
            "first", "second", "last", "ratio", "ratio_to_second",
        }  # fmt: skip
