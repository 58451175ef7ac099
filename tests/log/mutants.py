"""Every check of the log's formats, and how it is left out or broken: none may go unnoticed.

A mutant replaces one piece of a module's text, which stands there exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One check of `pipelines/log/<module>.py`, broken by putting `after` for `before`."""

    module: str
    check: str
    before: str
    after: str

    def broken(self, text: str) -> str:
        """Return the module's text without the check."""
        assert text.count(self.before) == 1, self
        return text.replace(self.before, self.after)


def _off(module: str, check: str, condition: str) -> Mutant:
    """A check whose condition is never met."""
    return Mutant(module, check, f"if {condition}:", f"if False and ({condition}):")


MUTANTS = (
    # the tree
    Mutant("merkle", "leaves and nodes differ", 'sha256(b"\\0" + data)', 'sha256(b"\\1" + data)'),
    Mutant("merkle", "left before right", "+ left + right", "+ right + left"),
    Mutant(
        "merkle", "an empty tree's root", 'EMPTY_ROOT = sha256(b"")', 'EMPTY_ROOT = sha256(b"0")'
    ),
    Mutant(
        "merkle", "split below the size", "(count - 1).bit_length() - 1", "count.bit_length() - 1"
    ),
    Mutant(
        "merkle", "path goes right from the middle", "if index < middle:", "if index <= middle:"
    ),
    Mutant("merkle", "growth stays left at the middle", "if old <= middle:", "if old < middle:"),
    Mutant("merkle", "the old tree's last part", "    if start:  #", "    if not start:  #"),
    Mutant(
        "merkle",
        "the inclusion path's root",
        '    if found != root:\n        raise ProofError(\n            f"leaf',
        '    if False:\n        raise ProofError(\n            f"leaf',
    ),
    Mutant(
        "merkle",
        "the old root",
        '    if found != root:\n        raise ProofError(\n            f"the old',
        '    if False:\n        raise ProofError(\n            f"the old',
    ),
    _off("merkle", "the new root", "found != new_root"),
    Mutant(
        "merkle",
        "the index is in the tree",
        "if not 0 <= index < size:",
        "if not 0 <= index <= size:",
    ),
    Mutant("merkle", "no negative index", "if not 0 <= index < size:", "if index >= size:"),
    Mutant("merkle", "no negative size", "if not 0 <= size <= MAX_SIZE:", "if size > MAX_SIZE:"),
    Mutant("merkle", "the largest size", "if not 0 <= size <= MAX_SIZE:", "if not 0 <= size:"),
    Mutant("merkle", "the old size is one", "    _check_size(old)\n", ""),
    Mutant("merkle", "the new size is one", "    _check_size(new)\n", ""),
    _off("merkle", "a log never shrinks", "old > new"),
    _off("merkle", "hashes of 32 bytes", "len(value) != HASH_SIZE"),
    Mutant("merkle", "the leaf's and the root's length", "(leaf, root, *proof)", "proof"),
    Mutant("merkle", "the roots' length", "(old_root, new_root, *proof)", "proof"),
    _off("merkle", "as many hashes as it takes", "len(proof) != expected"),
    Mutant(
        "merkle",
        "the inclusion path's length",
        '    _check_length("an inclusion proof", proof, inner + border)\n',
        "",
    ),
    Mutant(
        "merkle",
        "the consistency proof's length",
        '    _check_length("a consistency proof", proof, first + inner + border)\n',
        "",
    ),
    Mutant(
        "merkle",
        "no proof where none is needed",
        '        _check_length("a consistency proof", proof, 0)\n',
        "",
    ),
    Mutant(
        "merkle",
        "an empty log's old root",
        "            _check_old(old_size, old_root, EMPTY_ROOT)\n",
        "            pass\n",
    ),
    Mutant(
        "merkle",
        "one root for one size",
        "            _check_old(old_size, old_root, new_root)\n",
        "            pass\n",
    ),
    Mutant("merkle", "sides in the inner path", "left = position >> bit & 1", "left = 0"),
    Mutant(
        "merkle",
        "the border is on the left",
        "    for other in path:\n        found = node_hash(other, found)",
        "    for other in path:\n        found = node_hash(found, other)",
    ),
    Mutant(
        "merkle",
        "the old tree's lefts",
        "enumerate(path[:inner]) if position >> bit & 1]",
        "enumerate(path[:inner])]",
    ),
    # texts
    _off("text", "a limit before reading", "len(data) > limit"),
    Mutant("text", "UTF-8", 'data.decode("utf-8")', 'data.decode("utf-8", "surrogateescape")'),
    Mutant("text", "control characters", 'r"[\\x00-\\x09\\x0b-\\x1f]"', 'r"[\\x00]"'),
    Mutant(
        "text",
        "carriage returns",
        'r"[\\x00-\\x09\\x0b-\\x1f]"',
        'r"[\\x00-\\x09\\x0b\\x0c\\x0e-\\x1f]"',
    ),
    Mutant("text", "NUL", 'r"[\\x00-\\x09\\x0b-\\x1f]"', 'r"[\\x01-\\x09\\x0b-\\x1f]"'),
    Mutant(
        "text",
        "a text's control characters",
        "    check_control(text, what=what, error=error)\n",
        "",
    ),
    Mutant(
        "text",
        "base64 in one spelling",
        "if data is None or encode_base64(data) != text:",
        "if data is None:",
    ),
    Mutant("text", "numbers in one spelling", 'r"0|[1-9][0-9]{0,18}"', 'r"[0-9]{1,19}"'),
    Mutant("text", "numbers in ASCII", 'r"0|[1-9][0-9]{0,18}"', 'r"0|[1-9]\\d{0,18}|\\d\\d"'),
    Mutant("text", "numbers below 2**63", " or int(text) > MAX_SIZE:", ":"),
    Mutant("text", "all of a number", "_DECIMAL.fullmatch(text)", "_DECIMAL.match(text)"),
    # keys
    Mutant("notekey", "no empty name", "if not name or ", "if "),
    Mutant("notekey", "no plus in a name", ' or "+" in name', ""),
    Mutant("notekey", "no space in a name", " or any(c.isspace() for c in name)", ""),
    Mutant(
        "notekey", "no Unicode space in a name", "any(c.isspace() for c in name)", '" " in name'
    ),
    Mutant(
        "notekey",
        "no control character in a name",
        "    check_control(name, what=what, error=NoteError)\n",
        "",
    ),
    Mutant("notekey", "a key's name is well-formed", "        check_name(self.name)\n", ""),
    Mutant("notekey", "a key's name can be shown", "not self.name.isprintable() or ", ""),
    Mutant("notekey", "a key's name is short", " or len(self.name.encode()) > MAX_NAME", ""),
    _off("notekey", "a known algorithm", "self.algorithm not in {ED25519, COSIGNATURE}"),
    _off("notekey", "32 bytes of key", "len(self.key) != _KEY_SIZE"),
    Mutant(
        "notekey", "three parts of a vkey", "if len(parts) != 3:", "if len(parts) not in {2, 3}:"
    ),
    _off("notekey", "a key in a vkey", "not data"),
    _off("notekey", "a vkey's id", "key_id != key.id.hex()"),
    Mutant(
        "notekey",
        "the id commits to the name",
        'sha256(self.name.encode() + b"\\n" + self._material)',
        "sha256(self._material)",
    ),
    Mutant(
        "notekey", "the id commits to the use", 'b"\\n" + self._material', 'b"\\n\\1" + self.key'
    ),
    Mutant(
        "notekey", "the signature", "if not self.public.verifies(signature, message):", "if False:"
    ),
    Mutant(
        "notekey",
        "a cosignature's own message",
        "message = cosigned_message(text, time)",
        "message = text",
    ),
    # cosignatures
    Mutant("cosignature", "the header", 'b"cosignature/v1\\ntime', 'b"cosignature/v2\\ntime'),
    Mutant("cosignature", "the time is signed", "% (time, text)", "% (0, text)"),
    Mutant(
        "cosignature",
        "big-endian time",
        'int.from_bytes(data[:_TIME_SIZE], "big")',
        'int.from_bytes(data[:_TIME_SIZE], "little")',
    ),
    _off("cosignature", "72 bytes", "len(data) != _SIZE"),
    Mutant(
        "cosignature", "no negative time", "if not 0 <= time <= MAX_TIME:", "if time > MAX_TIME:"
    ),
    Mutant("cosignature", "the last time", "if not 0 <= time <= MAX_TIME:", "if time < 0:"),
    Mutant(
        "cosignature",
        "the time that is read",
        "    _check_time(time)\n    return time, data",
        "    return time, data",
    ),
    Mutant(
        "cosignature",
        "the time that is packed",
        "    _check_time(time)\n    return _checked",
        "    return _checked",
    ),
    Mutant(
        "cosignature",
        "the time in a message",
        "    _check_time(time)\n    return b",
        "    return b",
    ),
    # notes
    Mutant("note", "a signature's name", "        check_name(self.name)\n", ""),
    Mutant("note", "a key id of four bytes", "len(self.id) != ID_SIZE or ", ""),
    Mutant("note", "a signature after the id", " or not self.data:", ":"),
    Mutant(
        "note",
        "control characters in a text",
        '        check_control(self.text, what=f"the text of {_WHAT}", error=NoteError)\n',
        "",
    ),
    _off("note", "a text ends in a newline", 'not self.text.endswith("\\n")'),
    Mutant("note", "somebody signs", "if not 0 < len(", "if not 0 <= len("),
    Mutant("note", "not too many sign", " <= MAX_SIGNATURES:", ":"),
    _off("note", "a blank line above signatures", "not blank"),
    _off("note", "the last signature's newline", 'not below.endswith("\\n")'),
    Mutant("note", "signatures are below the last blank line", "rpartition", "partition"),
    Mutant("note", "three parts of a line", "if len(parts) != 3 or ", "if len(parts) < 3 or "),
    Mutant("note", "the em dash", " or parts[0] != _DASH:", ":"),
    Mutant(
        "note",
        "a known key's signature is verified",
        "            key.check(note.text.encode(), signature.data)\n",
        "",
    ),
    Mutant(
        "note",
        "a second signature is verified too",
        "if key is not None:",
        "if key is not None and key not in found:",
    ),
    Mutant(
        "note",
        "a key counts once",
        "tuple(found.values())",
        "tuple(s for s in note.signatures if known.get((s.name, s.id)))",
    ),
    Mutant(
        "note", "only known signatures are handed on", "tuple(found.values())", "note.signatures"
    ),
    Mutant(
        "note",
        "name and id together",
        "known.get((signature.name, signature.id))",
        "next((k for k in known.values() if k.name == signature.name), None)",
    ),
    _off("note", "one known key at least", "not found"),
    _off("note", "a key to open with", "not known"),
    Mutant(
        "note",
        "no two keys of one id",
        "known.setdefault((key.name, key.id), key) != key",
        "known.setdefault((key.name, key.id), key) is None",
    ),
    Mutant("note", "a newer signature replaces", "if (s.name, s.id) not in new", "if True"),
    # checkpoints
    Mutant("checkpoint", "no empty line", 'if not line or "\\n" in line:', 'if "\\n" in line:'),
    Mutant(
        "checkpoint", "no line break in a line", 'if not line or "\\n" in line:', "if not line:"
    ),
    Mutant(
        "checkpoint",
        "control characters",
        "            check_control(line, what=_WHAT, error=CheckpointError)\n",
        "",
    ),
    Mutant(
        "checkpoint",
        "extensions are lines",
        "for line in (self.origin, *self.extensions):",
        "for line in (self.origin,):",
    ),
    Mutant(
        "checkpoint",
        "no negative size",
        "if not 0 <= self.size <= MAX_SIZE:",
        "if self.size > MAX_SIZE:",
    ),
    Mutant(
        "checkpoint", "the largest size", "if not 0 <= self.size <= MAX_SIZE:", "if self.size < 0:"
    ),
    _off("checkpoint", "a root of 32 bytes", "len(self.root) != HASH_SIZE"),
    _off("checkpoint", "an empty log's root", "self.size == 0 and self.root != EMPTY_ROOT"),
    Mutant("checkpoint", "three lines", " or len(lines) < 3:", ":"),
    Mutant("checkpoint", "the last newline", 'if not text.endswith("\\n") or ', "if "),
    Mutant(
        "checkpoint",
        "a log's key makes no cosignature",
        '    _check_algorithm("a log", keys, ED25519)\n',
        "",
    ),
    Mutant(
        "checkpoint",
        "a witness's key makes no signature",
        '    _check_algorithm("a witness", witnesses, COSIGNATURE)\n',
        "",
    ),
    Mutant(
        "checkpoint",
        "the log has signed",
        "    if not any(signature.is_by(key) for signature in note.signatures for key in keys):",
        "    if False:",
    ),
    _off("checkpoint", "the log that was asked for", "checkpoint.origin != origin"),
    Mutant(
        "checkpoint", "a cosignature is its witness's", "            if signature.is_by(key)\n", ""
    ),
    Mutant(
        "note", "name and id are the key's", "(self.name, self.id) == (key.name, key.id)", "True"
    ),
    # proofs
    Mutant(
        "proof",
        "no negative index",
        "if not 0 <= self.index < MAX_SIZE:",
        "if self.index >= MAX_SIZE:",
    ),
    Mutant("proof", "the last index", "if not 0 <= self.index < MAX_SIZE:", "if self.index < 0:"),
    _off("proof", "63 hashes", "len(self.hashes) > MAX_HASHES"),
    _off("proof", "hashes of 32 bytes", "len(value) != HASH_SIZE"),
    Mutant(
        "proof",
        "no empty extra data",
        "and not 0 < len(self.extra)",
        "and not 0 <= len(self.extra)",
    ),
    Mutant("proof", "not too much extra data", "len(self.extra) <= MAX_EXTRA:", "len(self.extra):"),
    Mutant("proof", "its checkpoint is a note", "        Note.parse(self.checkpoint)\n", ""),
    _off("proof", "a blank line", "not blank"),
    _off("proof", "the header", "header != HEADER"),
    Mutant(
        "proof",
        "the index line",
        "if not lines or not lines[0].startswith(_INDEX):",
        "if not lines:",
    ),
    Mutant(
        "proof", "a line for the index", "if not lines or not lines[0]", "if lines and not lines[0]"
    ),
    Mutant("proof", "the path", "        verify_inclusion(\n", "        dict(\n"),
    # forks
    Mutant("fork", "the first is a note", "        Note.parse(self.first)\n", ""),
    Mutant("fork", "the second is a note", "        Note.parse(self.second)\n", ""),
    Mutant("fork", "the fields", "value.keys() != _FIELDS or ", ""),
    Mutant("fork", "the type", ' or value["type"] != TYPE:', ":"),
    _off("fork", "one spelling", "proof.to_bytes() != data"),
    _off("fork", "texts", "not isinstance(text, str)"),
    _off("fork", "one size", "a.size != b.size"),
    _off("fork", "two roots", "a.root == b.root"),
    Mutant(
        "fork",
        "both are opened",
        "for data in (self.first, self.second)",
        "for data in (self.first, self.first)",
    ),
    Mutant(
        "fork",
        "the witness of both",
        "if _cosigned(one, key) and _cosigned(other, key)",
        "if _cosigned(one, key) or _cosigned(other, key)",
    ),
    Mutant(
        "fork",
        "the second's witness",
        "_cosigned(one, key) and _cosigned(other, key)",
        "_cosigned(one, key)",
    ),
    Mutant(
        "fork",
        "the first's witness",
        "_cosigned(one, key) and _cosigned(other, key)",
        "_cosigned(other, key)",
    ),
    # signers
    _off("signers", "Ed25519", 'public.keytype != "ed25519"'),
    Mutant(
        "signers",
        "a witness signs its time",
        "cosigned_message(text, time)",
        "cosigned_message(text, 0)",
    ),
)
