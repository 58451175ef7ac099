"""Every check of reading and growing a log, and how it is left out: none may go unnoticed."""

from __future__ import annotations

from tests.mutation import Mutant, off

MUTANTS = (
    # leaves and their chains
    Mutant("log/leaf", "all of it is a leaf", "pattern.fullmatch(data)", "pattern.match(data)"),
    Mutant("log/leaf", "facts of all of it", "_STATEMENT.fullmatch", "_STATEMENT.match"),
    Mutant("log/leaf", "facts of a whole commitment", "_COMMITMENT.fullmatch", "_COMMITMENT.match"),
    Mutant(
        "log/leaf", "what is made can be read", "    if _match(pattern, data) is None:", "    if 0:"
    ),
    off("log/chain", "numbers without a gap", "facts.sequence != sequence"),
    Mutant("log/chain", "a statement names the one before", "facts.previous != previous:", "0:"),
    Mutant(
        "log/chain",
        "a commitment counts",
        "(facts.sequence + 1,",
        "(facts.sequence + bool(facts.previous),",
    ),
    # tiles
    Mutant("log/tiles", "an entry's length", "if position > end:", "if start > end:"),
    off("log/tiles", "a tile of this size", "width < 1"),
    Mutant(
        "log/tiles",
        "partial tiles have a width",
        'if self.width == WIDTH else f".p/',
        'if 1 else f".p/',
    ),
    Mutant(
        "log/edge",
        "as many hashes as the size says",
        "if len(row) != count_at(level, self.size) % WIDTH:",
        "if 0:",
    ),
    Mutant(
        "log/edge",
        "as many levels as the size says",
        "if count_at(len(self.rows), self.size):",
        "if 0:",
    ),
    Mutant("log/edge", "left before right", "node_hash(part, found)", "node_hash(found, part)"),
    # reading
    off("log/tilereader", "the partial tiles' root", "edge.root() != self.tree.root"),
    Mutant(
        "log/tilereader",
        "an edge that was given",
        "if edge and (edge.size, edge.root()) == (tree.size, tree.root) else None",
        "if edge else None",
    ),
    off(
        "log/tilereader",
        "a full tile is in the one above",
        "subtree_root(row) != self.read((level + 1) * HEIGHT, index)",
    ),
    Mutant("log/tilereader", "a bundle's leaves", "        if not good:", "        if False:"),
    Mutant(
        "log/tilereader",
        "the last bundle's leaves",
        "good = tuple(hashes) == self.edge().rows[0]",
        "good = True",
    ),
    Mutant(
        "log/tilereader",
        "a full bundle's leaves",
        "good = subtree_root(hashes) == self.read(HEIGHT, index)",
        "good = True",
    ),
    Mutant(
        "log/tilereader",
        "nothing behind a bundle",
        "if len(data) != 2 * len(entries)",
        "if 0 and len(data) != 2 * len(entries)",
    ),
    Mutant(
        "log/tilereader",
        "the hash tile of a bundle",
        "if tiles and self._hashes",
        "if False and self._hashes",
    ),
    off("log/tilereader", "a hash tile's length", "len(data) != found.width * HASH_SIZE"),
    off(
        "log/tilereader", "a subtree of this size", "start + width > count_at(tile, self.tree.size)"
    ),
    Mutant(
        "log/tilereader",
        "the full one in place of the partial",
        "return self._get(place.full), place.full",
        "raise NotFoundError('')",
    ),
    Mutant(
        "log/reader",
        "a size that is covered",
        "if size is not None and not 0 <= size <= self.size:",
        "if 0:",
    ),
    off("log/reader", "leaves that are covered", "not 0 <= start <= stop <= self.size"),
    # growing
    Mutant("log/commit", "a bounded batch", "if not 0 < len(self.leaves) <= MAX_LEAVES:", "if 0:"),
    off("log/commit", "a commit of this tree", "fields.get(name) != value"),
    Mutant(
        "log/commit",
        "one spelling",
        "if fields.keys() != _FIELDS or commit.to_bytes() != data:",
        "if 0:",
    ),
    Mutant(
        "log/commit",
        "leaves are texts",
        "if not isinstance(leaves, list) or not all(",
        "if 0 and not all(",
    ),
    Mutant(
        "log/tail",
        "a commit's leaves continue",
        "if gap := chains.follow(index, leaf.hash, leaf.facts):",
        "if chains.follow(index, leaf.hash, leaf.facts) and 0:",
    ),
    Mutant("log/tail", "the tiles it grows from", "        if heads.size:  #", "        if 0:  #"),
    Mutant("log/tail", "not shorter than signed", "if signed.size > heads.size:", "if 0:"),
    Mutant(
        "log/tail",
        "what was signed",
        'self._check_past(self.tiles(heads), signed, "signed")',
        "pass",
    ),
    Mutant(
        "log/tail",
        "what was published",
        'self._check_past(self.tiles(heads), seen.checkpoint, "published")',
        "pass",
    ),
    Mutant(
        "log/tail",
        "the cache is of this log",
        "if reader.tree(heads.size) != self.tree(heads):",
        "if 0:",
    ),
    Mutant(
        "log/tail",
        "the cache is of a kept tree",
        "if own is None or own.checkpoint != self.tree(heads):",
        "if own is None:",
    ),
    Mutant(
        "log/tail",
        "the kept tree is there",
        "if own is None or own.checkpoint != self.tree(heads):",
        "if own is not None and own.checkpoint != self.tree(heads):",
    ),
    Mutant(
        "log/tail",
        "others are finished first",
        "        self.finish_others(heads)\n        self._check",
        "        self._check",
    ),
    Mutant(
        "log/growth",
        "of one size one root was signed",
        "    if found.checkpoint != tree:",
        "    if 0:",
    ),
    Mutant(
        "log/growth",
        "of one size one root is published",
        "and there.checkpoint != new.checkpoint:",
        "and 0:",
    ),
    Mutant("log/growth", "the newest stays", "there.checkpoint.size >= new.checkpoint.size:", "0:"),
    Mutant("log/growth", "a kept checkpoint's size", "if found.checkpoint.size != size:", "if 0:"),
    Mutant(
        "log/journal",
        "nothing is doubled",
        "[e for e in entries if e.identity not in placed]",
        "list(entries)",
    ),
    Mutant(
        "log/journal", "one identity in one call", "if wanted[entry.identity] != entry:", "if 0:"
    ),
    Mutant("log/journal", "one identity in one log", "if not _says(leaf, entry):", "if 0:"),
    Mutant(
        "log/journal",
        "the loser finishes the winner",
        "                self._tail.finish_others(heads)\n                continue",
        "                continue",
    ),
    Mutant(
        "log/journal",
        "a cosigned tree is of this log",
        "if own is None or own.checkpoint != new:",
        "if own is None:",
    ),
    Mutant(
        "log/journal",
        "a cosigned size was signed",
        "if own is None or own.checkpoint != new:",
        "if own and own.checkpoint != new:",
    ),
    Mutant(
        "log/journal",
        "an older cosigned one stays out",
        "there is None or there.checkpoint.size <= new.size",
        "True",
    ),
    Mutant("log/journal", "the key is of this log", "if signer.key.name != origin:", "if 0:"),
    Mutant(
        "log/checkpointsigner",
        "never shorter",
        "if newest is not None and new.size < newest.size:",
        "if 0:",
    ),
    Mutant(
        "log/checkpointsigner",
        "never a second root",
        "new.size == newest.size and new.root != newest.root:",
        "0:",
    ),
    Mutant("log/checkpointsigner", "after the newest alone", "    if old != newest:", "    if 0:"),
    Mutant(
        "log/checkpointsigner",
        "only what continues",
        "            verify_consistency(\n",
        "            dict(\n",
    ),
    Mutant("log/checkpointsigner", "of its own log", "if new.origin != self.key.name:", "if 0:"),
    Mutant(
        "log/checkpointsigner",
        "remembered before signed",
        "durable.replace(self._path, note)",
        "pass",
    ),
    Mutant("log/heads", "the origin", "WHERE origin = ?", "WHERE origin = ? OR 1"),
    Mutant("log/heads", "the version", "version != _VERSION or ", "version == 0 or "),
    Mutant(
        "log/heads",
        "taken in whole",
        'self._database.execute("ROLLBACK")',
        'self._database.execute("COMMIT")',
    ),
    # witnesses
    off("log/witness", "not shorter than before", "new.size < before.size"),
    off("log/witness", "one root a size", "new.size == before.size and new.root != before.root"),
    off("log/witness", "a fork is kept", "complaint is Complaint.FORKED"),
    Mutant(
        "log/witness",
        "only what grew from it",
        "            self._check_growth(source, origin, keys, before, new)\n",
        "            pass\n",
    ),
    Mutant(
        "log/witness",
        "remembered",
        "durable.replace(self._path(origin), new.note.to_bytes())",
        "pass",
    ),
    Mutant(
        "log/witness",
        "remembered before cosigned",
        "        self._remember(origin, new)\n        return self._cosign(origin, new)",
        "        seen = self._cosign(origin, new)\n        self._remember(origin, new)\n"
        "        return seen",
    ),
    Mutant(
        "log/witness",
        "a lost memory is told",
        "        except LogError as error:\n            raise LogError(",
        "        except LogError as error:\n            return None\n            raise LogError(",
    ),
    Mutant("log/cosigning", "of known witnesses", "and signed.cosignatures:", "and 1:"),
    off("log/cosigning", "to the same tree", "signed.checkpoint != base.checkpoint"),
    Mutant("log/cosigning", "the newest of each", "held[0] < cosignature.time", "0"),
    Mutant("log/cosigning", "the log's own signature stays", "(*own, *sorted", "(*[], *sorted"),
    Mutant("log/cosigning", "it holds the leaf", "signed.checkpoint.size > index", "1"),
    # what is missing
    Mutant(
        "log/gaps",
        "a chain that breaks",
        ") is not None:\n                found",
        ") == 0:\n                found",
    ),
    off("log/gaps", "a leaf twice", "(first := _place(places, fact.identity)) != index"),
    Mutant(
        "log/gaps",
        "a statement without a leaf",
        "                    kind=GapKind.UNLOGGED,",
        "                    kind=GapKind.MISSING,",
    ),
    Mutant("log/gaps", "a leaf without a statement", "WHERE seen = 0 AND", "WHERE seen = 2 AND"),
    off("log/gaps", "a commitment for each build", "wrong is not None"),
    Mutant(
        "log/gaps",
        "none for what was not built",
        "    if place is None and not sealed:",
        "    if 0:",
    ),
    off("log/gaps", "the commitment first", "place > index"),
    Mutant("log/gaps", "to this claim", "leaf.claim != value_of(told.claim) or ", ""),
    Mutant("log/gaps", "to this seal", " or leaf.seal != value_of(told.seal)", ""),
    Mutant(
        "log/gaps",
        "as long as its heartbeat said",
        "if told.size > reader.size:",
        "if told.size > reader.size + 9:",
    ),
    Mutant(
        "log/gaps",
        "the tree of its heartbeat",
        "    elif reader.tree",
        "    elif 0 and reader.tree",
    ),
    off("log/gaps", "the heads of its heartbeat", "sequence < head.sequence"),
    off("log/gaps", "told up to a bound", "len(self.gaps) < MAX_GAPS"),
)
