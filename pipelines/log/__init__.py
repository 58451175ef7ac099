"""The transparency log: an append-only Merkle tree of statements in a center's own store.

The formats are those of C2SP (signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof,
tlog-tiles), the tree is that of RFC 6962. May import evidence and storage, and nothing above them.
"""
