"""The tree: the published vectors, the RFC's own definition, and proofs that claim too much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.log.errors import ProofError
from pipelines.log.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.log.tree import LEAVES, Tree, mth, numbered, path, proof

ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSION = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
CONSISTENCY = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
SIZES = st.integers(1, 70)


def unhex(hashes: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, hashes))


class TestPublishedVectors:
    @pytest.mark.parametrize("size", range(9))
    def test_roots(self, size: int) -> None:
        assert tree_root(size, Tree.of(LEAVES)).hex() == ROOTS[size]

    @pytest.mark.parametrize(("index", "size"), INCLUSION)
    def test_inclusion(self, index: int, size: int) -> None:
        expected = unhex(INCLUSION[index, size])
        assert inclusion_proof(index, size, Tree.of(LEAVES)) == expected
        verify_inclusion(
            leaf=leaf_hash(LEAVES[index]),
            index=index,
            size=size,
            proof=expected,
            root=bytes.fromhex(ROOTS[size]),
        )

    @pytest.mark.parametrize(("old", "new"), CONSISTENCY)
    def test_consistency(self, old: int, new: int) -> None:
        expected = unhex(CONSISTENCY[old, new])
        assert consistency_proof(old, new, Tree.of(LEAVES)) == expected
        verify_consistency(
            old_size=old,
            old_root=bytes.fromhex(ROOTS[old]),
            new_size=new,
            new_root=bytes.fromhex(ROOTS[new]),
            proof=expected,
        )


class TestTheRfc:
    """Every size up to 40, and some beyond, against the recursive definition."""

    def test_every_small_tree_and_leaf(self) -> None:
        for size in range(1, 41):
            entries = numbered(size)
            root = mth(entries)
            assert tree_root(size, Tree.of(entries)) == root
            for index in range(size):
                found = inclusion_proof(index, size, Tree.of(entries))
                assert list(found) == path(index, entries)
                verify_inclusion(
                    leaf=leaf_hash(entries[index]), index=index, size=size, proof=found, root=root
                )

    def test_every_small_growth(self) -> None:
        for new in range(1, 41):
            entries = numbered(new)
            for old in range(1, new):
                found = consistency_proof(old, new, Tree.of(entries))
                assert list(found) == proof(old, entries)
                verify_consistency(
                    old_size=old,
                    old_root=mth(entries[:old]),
                    new_size=new,
                    new_root=mth(entries),
                    proof=found,
                )

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def test_larger_trees(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(41, 600))
        index = data.draw(st.integers(0, size - 1))
        entries = numbered(size)
        assert list(inclusion_proof(index, size, Tree.of(entries))) == path(index, entries)
        if index:
            assert list(consistency_proof(index, size, Tree.of(entries))) == proof(index, entries)

    def test_a_proof_reads_little(self) -> None:
        tree = Tree.of(numbered(1000))
        inclusion_proof(123, 1000, tree)
        assert len(tree.reads) <= 2 * 10

    def test_a_leaf_is_no_node(self) -> None:
        left, right = leaf_hash(b"a"), leaf_hash(b"b")
        assert node_hash(left, right) != leaf_hash(left + right)

    def test_no_leaves(self) -> None:
        assert tree_root(0, Tree.of([])) == EMPTY_ROOT == mth([])


def inclusion(index: int, size: int) -> dict[str, Any]:
    entries = numbered(size)
    return {
        "leaf": leaf_hash(entries[index]),
        "index": index,
        "size": size,
        "proof": path(index, entries),
        "root": mth(entries),
    }


def consistency(old: int, new: int) -> dict[str, Any]:
    entries = numbered(new)
    return {
        "old_size": old,
        "old_root": mth(entries[:old]),
        "new_size": new,
        "new_root": mth(entries),
        "proof": proof(old, entries) if 0 < old < new else [],
    }


def flipped(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value, "big") ^ (1 << bit)).to_bytes(len(value), "big")


class TestInclusionLies:
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_one_wrong_bit_anywhere_is_refused(self, data: st.DataObject) -> None:
        size = data.draw(SIZES)
        case = inclusion(data.draw(st.integers(0, size - 1)), size)
        bit = data.draw(st.integers(0, 255))
        place = data.draw(st.integers(-2, len(case["proof"]) - 1))
        if place < 0:
            name = ("leaf", "root")[place]
            case[name] = flipped(case[name], bit)
        else:
            case["proof"][place] = flipped(case["proof"][place], bit)
        with pytest.raises(ProofError, match="is not in the tree"):
            verify_inclusion(**case)

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_another_place_is_refused(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(2, 70))
        index = data.draw(st.integers(0, size - 1))
        other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
        with pytest.raises(ProofError):
            verify_inclusion(**inclusion(index, size) | {"index": other})

    def test_a_leaf_beyond_the_tree_is_refused(self) -> None:
        for index in (-1, 5, 8):
            with pytest.raises(ProofError, match="has no such leaf; got leaf"):
                verify_inclusion(**inclusion(4, 5) | {"index": index})

    def test_a_tree_of_no_possible_size_is_refused(self) -> None:
        for size in (-1, MAX_SIZE + 1):
            with pytest.raises(ProofError, match="no tree has that size"):
                verify_inclusion(**inclusion(4, 5) | {"size": size})

    @pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p[1:], lambda p: [*p, p[0]]])
    def test_a_path_of_another_length_is_refused(
        self, change: Callable[[list[bytes]], list[bytes]]
    ) -> None:
        case = inclusion(3, 11)
        case["proof"] = change(case["proof"])
        with pytest.raises(
            ProofError, match=r"inclusion proof has another length; got \d; expected 4"
        ):
            verify_inclusion(**case)

    def test_a_node_that_is_passed_off_as_a_leaf_is_refused(self) -> None:
        case = inclusion(0, 4)
        case["leaf"] = node_hash(case["leaf"], case["proof"][0])
        case["proof"] = case["proof"][1:]
        with pytest.raises(ProofError, match="another length"):
            verify_inclusion(**case)

    @pytest.mark.parametrize("name", ["leaf", "root"])
    def test_a_short_hash_is_refused(self, name: str) -> None:
        case = inclusion(0, 4)
        case[name] = case[name][:31]
        with pytest.raises(ProofError, match="hash of another length; got 31 bytes"):
            verify_inclusion(**case)

    def test_a_hash_that_lends_a_byte_to_its_neighbour_is_refused(self) -> None:
        case = inclusion(0, 4)
        sibling = case["leaf"][31:] + case["proof"][0]
        case |= {"leaf": case["leaf"][:31], "proof": [sibling, case["proof"][1]]}
        with pytest.raises(ProofError, match="hash of another length"):
            verify_inclusion(**case)


class TestConsistencyLies:
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_one_wrong_bit_anywhere_is_refused(self, data: st.DataObject) -> None:
        new = data.draw(st.integers(2, 70))
        case = consistency(data.draw(st.integers(1, new)), new)
        bit = data.draw(st.integers(0, 255))
        place = data.draw(st.integers(-2, len(case["proof"]) - 1))
        if place < 0:
            name = ("old_root", "new_root")[place]
            case[name] = flipped(case[name], bit)
        else:
            case["proof"][place] = flipped(case["proof"][place], bit)
        with pytest.raises(ProofError, match=r"does not continue|is not the start"):
            verify_consistency(**case)

    def test_a_rewritten_past_is_named(self) -> None:
        case = consistency(6, 9) | {"old_root": mth([*numbered(5), b"another"])}
        with pytest.raises(ProofError, match="old tree of 6 leaves is not the start"):
            verify_consistency(**case)

    def test_a_new_root_that_does_not_hold_the_past_is_named(self) -> None:
        case = consistency(6, 9) | {"new_root": mth([*numbered(8), b"another"])}
        with pytest.raises(ProofError, match="of 9 leaves does not continue the one of 6"):
            verify_consistency(**case)

    def test_two_roots_of_one_size_are_refused(self) -> None:
        case = consistency(6, 6) | {"old_root": mth([*numbered(5), b"another"])}
        with pytest.raises(ProofError, match="is not the start"):
            verify_consistency(**case)

    def test_a_shrunk_log_is_refused(self) -> None:
        case = consistency(5, 9) | {"old_size": 9, "new_size": 5}
        with pytest.raises(ProofError, match="never shrinks; got 5 leaves after 9"):
            verify_consistency(**case)

    @pytest.mark.parametrize("name", ["old_size", "new_size"])
    def test_a_tree_of_no_possible_size_is_refused(self, name: str) -> None:
        for size in (-1, MAX_SIZE + 1):
            with pytest.raises(ProofError, match="no tree has that size"):
                verify_consistency(**consistency(5, 9) | {name: size})

    @pytest.mark.parametrize("old", [0, 9])
    def test_a_proof_where_none_is_needed_is_refused(self, old: int) -> None:
        case = consistency(old, 9)
        verify_consistency(**case)
        case["proof"] = [case["new_root"]]
        with pytest.raises(ProofError, match="consistency proof has another length; got 1"):
            verify_consistency(**case)

    def test_an_empty_log_has_one_root(self) -> None:
        with pytest.raises(ProofError, match="old tree of 0 leaves is not the start"):
            verify_consistency(**consistency(0, 9) | {"old_root": mth([b"x"])})
        with pytest.raises(ProofError, match="old tree of 0 leaves is not the start"):
            verify_consistency(**consistency(0, 0) | {"new_root": mth([b"x"])})

    @pytest.mark.parametrize("old", [4, 6])
    @pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p[1:], lambda p: [*p, p[0]]])
    def test_a_proof_of_another_length_is_refused(
        self, old: int, change: Callable[[list[bytes]], list[bytes]]
    ) -> None:
        case = consistency(old, 9)
        case["proof"] = change(case["proof"])
        with pytest.raises(ProofError, match="consistency proof has another length"):
            verify_consistency(**case)

    @pytest.mark.parametrize("name", ["old_root", "new_root"])
    def test_a_short_root_is_refused(self, name: str) -> None:
        case = consistency(5, 9)
        case[name] = case[name][:31]
        with pytest.raises(ProofError, match="hash of another length; got 31 bytes"):
            verify_consistency(**case)

    def test_a_short_hash_is_refused(self) -> None:
        case = consistency(5, 9)
        case["proof"][1] = case["proof"][1][:31]
        with pytest.raises(ProofError, match="hash of another length; got 31 bytes"):
            verify_consistency(**case)


class TestAsking:
    def test_no_proof_is_made_of_a_leaf_that_is_not_there(self) -> None:
        with pytest.raises(ProofError, match="no such leaf"):
            inclusion_proof(5, 5, Tree.of(numbered(5)))

    def test_no_proof_is_made_that_a_log_shrank(self) -> None:
        with pytest.raises(ProofError, match="never shrinks"):
            consistency_proof(5, 4, Tree.of(numbered(5)))

    def test_nothing_needs_no_proof(self) -> None:
        assert consistency_proof(0, 5, Tree.of(numbered(5))) == ()
        assert consistency_proof(5, 5, Tree.of(numbered(5))) == ()

    def test_there_is_no_tree_of_negative_size(self) -> None:
        with pytest.raises(ProofError, match="no tree has that size"):
            tree_root(-1, Tree.of([]))
