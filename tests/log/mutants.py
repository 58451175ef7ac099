"""Every check of the log's formats, and how it is left out or broken: none may go unnoticed."""

from __future__ import annotations

from tests.mutation import Mutant, off

MUTANTS = (
    # the tree
    Mutant(
        "log/merkle", "leaves and nodes differ", 'sha256(b"\\0" + data)', 'sha256(b"\\1" + data)'
    ),
    Mutant("log/merkle", "left before right", "+ left + right", "+ right + left"),
    Mutant(
        "log/merkle",
        "an empty tree's root",
        'EMPTY_ROOT = sha256(b"")',
        'EMPTY_ROOT = sha256(b"0")',
    ),
    Mutant(
        "log/merkle",
        "split below the size",
        "(count - 1).bit_length() - 1",
        "count.bit_length() - 1",
    ),
    Mutant(
        "log/merkle", "path goes right from the middle", "if index < middle:", "if index <= middle:"
    ),
    Mutant(
        "log/merkle", "growth stays left at the middle", "if old <= middle:", "if old < middle:"
    ),
    Mutant("log/merkle", "the old tree's last part", "    if start:  #", "    if not start:  #"),
    Mutant(
        "log/merkle",
        "the inclusion path's root",
        '    if found != root:\n        raise ProofError(\n            f"leaf',
        '    if False:\n        raise ProofError(\n            f"leaf',
    ),
    Mutant(
        "log/merkle",
        "the old root",
        '    if found != root:\n        raise ProofError(\n            f"the old',
        '    if False:\n        raise ProofError(\n            f"the old',
    ),
    off("log/merkle", "the new root", "found != new_root"),
    Mutant(
        "log/merkle",
        "the index is in the tree",
        "if not 0 <= index < size:",
        "if not 0 <= index <= size:",
    ),
    Mutant("log/merkle", "no negative index", "if not 0 <= index < size:", "if index >= size:"),
    Mutant(
        "log/merkle", "no negative size", "if not 0 <= size <= MAX_SIZE:", "if size > MAX_SIZE:"
    ),
    Mutant("log/merkle", "the largest size", "if not 0 <= size <= MAX_SIZE:", "if not 0 <= size:"),
    Mutant("log/merkle", "the old size is one", "    _check_size(old)\n", ""),
    Mutant("log/merkle", "the new size is one", "    _check_size(new)\n", ""),
    off("log/merkle", "a log never shrinks", "old > new"),
    off("log/merkle", "hashes of 32 bytes", "len(value) != HASH_SIZE"),
    Mutant("log/merkle", "the leaf's and the root's length", "(leaf, root, *proof)", "proof"),
    Mutant("log/merkle", "the roots' length", "(old_root, new_root, *proof)", "proof"),
    off("log/merkle", "as many hashes as it takes", "len(proof) != expected"),
    Mutant(
        "log/merkle",
        "the inclusion path's length",
        '    _check_length("an inclusion proof", proof, inner + border)\n',
        "",
    ),
    Mutant(
        "log/merkle",
        "the consistency proof's length",
        '    _check_length("a consistency proof", proof, first + inner + border)\n',
        "",
    ),
    Mutant(
        "log/merkle",
        "no proof where none is needed",
        '        _check_length("a consistency proof", proof, 0)\n',
        "",
    ),
    Mutant(
        "log/merkle",
        "an empty log's old root",
        "            _check_old(old_size, old_root, EMPTY_ROOT)\n",
        "            pass\n",
    ),
    Mutant(
        "log/merkle",
        "one root for one size",
        "            _check_old(old_size, old_root, new_root)\n",
        "            pass\n",
    ),
    Mutant("log/merkle", "sides in the inner path", "left = position >> bit & 1", "left = 0"),
    Mutant(
        "log/merkle",
        "the border is on the left",
        "    for other in path:\n        found = node_hash(other, found)",
        "    for other in path:\n        found = node_hash(found, other)",
    ),
    Mutant(
        "log/merkle",
        "the old tree's lefts",
        "enumerate(path[:inner]) if position >> bit & 1]",
        "enumerate(path[:inner])]",
    ),
    # texts
    off("log/text", "a limit before reading", "len(data) > limit"),
    Mutant("log/text", "UTF-8", 'data.decode("utf-8")', 'data.decode("utf-8", "surrogateescape")'),
    Mutant("log/text", "control characters", 'r"[\\x00-\\x09\\x0b-\\x1f]"', 'r"[\\x00]"'),
    Mutant(
        "log/text",
        "carriage returns",
        'r"[\\x00-\\x09\\x0b-\\x1f]"',
        'r"[\\x00-\\x09\\x0b\\x0c\\x0e-\\x1f]"',
    ),
    Mutant("log/text", "NUL", 'r"[\\x00-\\x09\\x0b-\\x1f]"', 'r"[\\x01-\\x09\\x0b-\\x1f]"'),
    Mutant(
        "log/text",
        "a text's control characters",
        "    check_control(text, what=what, error=error)\n",
        "",
    ),
    Mutant(
        "log/text",
        "base64 in one spelling",
        "if data is None or encode_base64(data) != text:",
        "if data is None:",
    ),
    Mutant("log/text", "numbers in one spelling", 'r"0|[1-9][0-9]{0,18}"', 'r"[0-9]{1,19}"'),
    Mutant("log/text", "numbers in ASCII", 'r"0|[1-9][0-9]{0,18}"', 'r"0|[1-9]\\d{0,18}|\\d\\d"'),
    Mutant("log/text", "numbers below 2**63", " or int(text) > MAX_SIZE:", ":"),
    Mutant("log/text", "all of a number", "_DECIMAL.fullmatch(text)", "_DECIMAL.match(text)"),
    # keys
    Mutant("log/notekey", "no empty name", "if not name or ", "if "),
    Mutant("log/notekey", "no plus in a name", ' or "+" in name', ""),
    Mutant("log/notekey", "no space in a name", " or any(c.isspace() for c in name)", ""),
    Mutant(
        "log/notekey", "no Unicode space in a name", "any(c.isspace() for c in name)", '" " in name'
    ),
    Mutant(
        "log/notekey",
        "no control character in a name",
        "    check_control(name, what=what, error=NoteError)\n",
        "",
    ),
    Mutant("log/notekey", "a key's name is well-formed", "        check_name(self.name)\n", ""),
    Mutant("log/notekey", "a key's name can be shown", "not self.name.isprintable() or ", ""),
    Mutant("log/notekey", "a key's name is short", " or len(self.name.encode()) > MAX_NAME", ""),
    off("log/notekey", "a known algorithm", "self.algorithm not in {ED25519, COSIGNATURE}"),
    off("log/notekey", "32 bytes of key", "len(self.key) != _KEY_SIZE"),
    Mutant(
        "log/notekey",
        "three parts of a vkey",
        "if len(parts) != 3:",
        "if len(parts) not in {2, 3}:",
    ),
    off("log/notekey", "a key in a vkey", "not data"),
    off("log/notekey", "a vkey's id", "key_id != key.id.hex()"),
    Mutant(
        "log/notekey",
        "the id commits to the name",
        'sha256(self.name.encode() + b"\\n" + self._material)',
        "sha256(self._material)",
    ),
    Mutant(
        "log/notekey",
        "the id commits to the use",
        'b"\\n" + self._material',
        'b"\\n\\1" + self.key',
    ),
    Mutant(
        "log/notekey",
        "the signature",
        "if not self.public.verifies(signature, message):",
        "if False:",
    ),
    Mutant(
        "log/notekey",
        "a cosignature's own message",
        "message = cosigned_message(text, time)",
        "message = text",
    ),
    # cosignatures
    Mutant("log/cosignature", "the header", 'b"cosignature/v1\\ntime', 'b"cosignature/v2\\ntime'),
    Mutant("log/cosignature", "the time is signed", "% (time, text)", "% (0, text)"),
    Mutant(
        "log/cosignature",
        "big-endian time",
        'int.from_bytes(data[:_TIME_SIZE], "big")',
        'int.from_bytes(data[:_TIME_SIZE], "little")',
    ),
    off("log/cosignature", "72 bytes", "len(data) != _SIZE"),
    Mutant(
        "log/cosignature",
        "no negative time",
        "if not 0 <= time <= MAX_TIME:",
        "if time > MAX_TIME:",
    ),
    Mutant("log/cosignature", "the last time", "if not 0 <= time <= MAX_TIME:", "if time < 0:"),
    Mutant(
        "log/cosignature",
        "the time that is read",
        "    _check_time(time)\n    return time, data",
        "    return time, data",
    ),
    Mutant(
        "log/cosignature",
        "the time that is packed",
        "    _check_time(time)\n    return _checked",
        "    return _checked",
    ),
    Mutant(
        "log/cosignature",
        "the time in a message",
        "    _check_time(time)\n    return b",
        "    return b",
    ),
    # notes
    Mutant("log/note", "a signature's name", "        check_name(self.name)\n", ""),
    Mutant("log/note", "a key id of four bytes", "len(self.id) != ID_SIZE or ", ""),
    Mutant("log/note", "a signature after the id", " or not self.data:", ":"),
    Mutant(
        "log/note",
        "control characters in a text",
        '        check_control(self.text, what=f"the text of {_WHAT}", error=NoteError)\n',
        "",
    ),
    off("log/note", "a text ends in a newline", 'not self.text.endswith("\\n")'),
    Mutant("log/note", "somebody signs", "if not 0 < len(", "if not 0 <= len("),
    Mutant("log/note", "not too many sign", " <= MAX_SIGNATURES:", ":"),
    off("log/note", "a blank line above signatures", "not blank"),
    off("log/note", "the last signature's newline", 'not below.endswith("\\n")'),
    Mutant("log/note", "signatures are below the last blank line", "rpartition", "partition"),
    Mutant("log/note", "three parts of a line", "if len(parts) != 3 or ", "if len(parts) < 3 or "),
    Mutant("log/note", "the em dash", " or parts[0] != _DASH:", ":"),
    Mutant(
        "log/note",
        "a known key's signature is verified",
        "            key.check(note.text.encode(), signature.data)\n",
        "",
    ),
    Mutant(
        "log/note",
        "a second signature is verified too",
        "if key is not None:",
        "if key is not None and key not in found:",
    ),
    Mutant(
        "log/note",
        "a key counts once",
        "tuple(found.values())",
        "tuple(s for s in note.signatures if known.get((s.name, s.id)))",
    ),
    Mutant(
        "log/note",
        "only known signatures are handed on",
        "tuple(found.values())",
        "note.signatures",
    ),
    Mutant(
        "log/note",
        "name and id together",
        "known.get((signature.name, signature.id))",
        "next((k for k in known.values() if k.name == signature.name), None)",
    ),
    off("log/note", "one known key at least", "not found"),
    off("log/note", "a key to open with", "not known"),
    Mutant(
        "log/note",
        "no two keys of one id",
        "known.setdefault((key.name, key.id), key) != key",
        "known.setdefault((key.name, key.id), key) is None",
    ),
    Mutant("log/note", "a newer signature replaces", "if (s.name, s.id) not in new", "if True"),
    # checkpoints
    Mutant("log/checkpoint", "no empty line", 'if not line or "\\n" in line:', 'if "\\n" in line:'),
    Mutant(
        "log/checkpoint", "no line break in a line", 'if not line or "\\n" in line:', "if not line:"
    ),
    Mutant(
        "log/checkpoint",
        "control characters",
        "            check_control(line, what=_WHAT, error=CheckpointError)\n",
        "",
    ),
    Mutant(
        "log/checkpoint",
        "extensions are lines",
        "for line in (self.origin, *self.extensions):",
        "for line in (self.origin,):",
    ),
    Mutant(
        "log/checkpoint",
        "no negative size",
        "if not 0 <= self.size <= MAX_SIZE:",
        "if self.size > MAX_SIZE:",
    ),
    Mutant(
        "log/checkpoint",
        "the largest size",
        "if not 0 <= self.size <= MAX_SIZE:",
        "if self.size < 0:",
    ),
    off("log/checkpoint", "a root of 32 bytes", "len(self.root) != HASH_SIZE"),
    off("log/checkpoint", "an empty log's root", "self.size == 0 and self.root != EMPTY_ROOT"),
    Mutant("log/checkpoint", "three lines", " or len(lines) < 3:", ":"),
    Mutant("log/checkpoint", "the last newline", 'if not text.endswith("\\n") or ', "if "),
    Mutant(
        "log/checkpoint",
        "a log's key makes no cosignature",
        '    _check_algorithm("a log", keys, ED25519)\n',
        "",
    ),
    Mutant(
        "log/checkpoint",
        "a witness's key makes no signature",
        '    _check_algorithm("a witness", witnesses, COSIGNATURE)\n',
        "",
    ),
    Mutant(
        "log/checkpoint",
        "the log has signed",
        "    if not any(signature.is_by(key) for signature in note.signatures for key in keys):",
        "    if False:",
    ),
    off("log/checkpoint", "the log that was asked for", "checkpoint.origin != origin"),
    Mutant(
        "log/checkpoint",
        "a cosignature is its witness's",
        "            if signature.is_by(key)\n",
        "",
    ),
    Mutant(
        "log/note",
        "name and id are the key's",
        "(self.name, self.id) == (key.name, key.id)",
        "True",
    ),
    # proofs
    Mutant(
        "log/proof",
        "no negative index",
        "if not 0 <= self.index < MAX_SIZE:",
        "if self.index >= MAX_SIZE:",
    ),
    Mutant(
        "log/proof", "the last index", "if not 0 <= self.index < MAX_SIZE:", "if self.index < 0:"
    ),
    off("log/proof", "63 hashes", "len(self.hashes) > MAX_HASHES"),
    off("log/proof", "hashes of 32 bytes", "len(value) != HASH_SIZE"),
    Mutant(
        "log/proof",
        "no empty extra data",
        "and not 0 < len(self.extra)",
        "and not 0 <= len(self.extra)",
    ),
    Mutant(
        "log/proof", "not too much extra data", "len(self.extra) <= MAX_EXTRA:", "len(self.extra):"
    ),
    Mutant("log/proof", "its checkpoint is a note", "        Note.parse(self.checkpoint)\n", ""),
    off("log/proof", "a blank line", "not blank"),
    off("log/proof", "the header", "header != HEADER"),
    Mutant(
        "log/proof",
        "the index line",
        "if not lines or not lines[0].startswith(_INDEX):",
        "if not lines:",
    ),
    Mutant(
        "log/proof",
        "a line for the index",
        "if not lines or not lines[0]",
        "if lines and not lines[0]",
    ),
    Mutant("log/proof", "the path", "        verify_inclusion(\n", "        dict(\n"),
    # forks
    Mutant("log/fork", "the first is a note", "        Note.parse(self.first)\n", ""),
    Mutant("log/fork", "the second is a note", "        Note.parse(self.second)\n", ""),
    Mutant("log/fork", "the fields", "value.keys() != _FIELDS or ", ""),
    Mutant("log/fork", "the type", ' or value["type"] != TYPE:', ":"),
    off("log/fork", "one spelling", "proof.to_bytes() != data"),
    off("log/fork", "texts", "not isinstance(text, str)"),
    off("log/fork", "one size", "a.size != b.size"),
    off("log/fork", "two roots", "a.root == b.root"),
    Mutant(
        "log/fork",
        "both are opened",
        "for data in (self.first, self.second)",
        "for data in (self.first, self.first)",
    ),
    Mutant(
        "log/fork",
        "the witness of both",
        "if _cosigned(one, key) and _cosigned(other, key)",
        "if _cosigned(one, key) or _cosigned(other, key)",
    ),
    Mutant(
        "log/fork",
        "the second's witness",
        "_cosigned(one, key) and _cosigned(other, key)",
        "_cosigned(one, key)",
    ),
    Mutant(
        "log/fork",
        "the first's witness",
        "_cosigned(one, key) and _cosigned(other, key)",
        "_cosigned(other, key)",
    ),
    # signers
    off("log/signers", "Ed25519", 'public.keytype != "ed25519"'),
    Mutant(
        "log/signers",
        "a witness signs its time",
        "cosigned_message(text, time)",
        "cosigned_message(text, 0)",
    ),
)
