"""Every rule by which an order of members tells the seed of a file system, and how it is broken."""

from __future__ import annotations

from tests.mutation import Mutant

_ORDER = "infer/folderorder"

ORDER_MUTANTS = (
    Mutant(_ORDER, "the seed", "bytes)\n    for start", "bytes[::-1])\n    for start"),
    Mutant(_ORDER, "long names", "range(0, len(data), _BLOCK)", "range(0, _BLOCK, _BLOCK)"),
    Mutant(_ORDER, "the rest of long names", "_words(data[start:])", "_words(data[:_BLOCK])"),
    Mutant(_ORDER, "the lowest bit", "return state[1] & ~1,", "return state[1],"),
    Mutant(
        _ORDER,
        "names of bytes",
        'encode("utf-8", "surrogateescape")',
        'encode("latin-1", "replace")',
    ),
    Mutant(_ORDER, "names that are no text", '"utf-8", "surrogateescape"', '"utf-8", "replace"'),
    Mutant(_ORDER, "the sign of bytes", "byte - 256 if byte > 127 else byte", "byte"),
    Mutant(_ORDER, "the length fills", "fill = len(data) & 0xFF", "fill = 0"),
    Mutant(_ORDER, "the sum is added", "(x + y) & _WORD for x, y", "y for _, y"),
    Mutant(_ORDER, "the turns", "turn = turns[step % 4]", "turn = turns[0]"),
    Mutant(_ORDER, "the constant of a round", "+ words[index] + constant)", "+ words[index])"),
    Mutant(_ORDER, "the words of a round", "words[index] + constant", "words[step] + constant"),
    Mutant(
        _ORDER, "every folder", "if all(_explains(o, names[f])", "if any(_explains(o, names[f])"
    ),
    Mutant(
        _ORDER,
        "a folder that is not asked for",
        "return next(also, found[0] if found else None)",
        "return found[0] if found else None",
    ),
    Mutant(
        _ORDER,
        "a folder that nothing explains",
        "found[0] if found else None)",
        "None)",
    ),
    Mutant(_ORDER, "names in order", "if found < last:", "if False:"),
    Mutant(_ORDER, "every name in order", "        last = found\n", ""),
    Mutant(_ORDER, "RECORD does not count", "if name != _RECORD:", "if True:"),
    Mutant(_ORDER, "a folder of each path", 'path.rpartition("/")', 'path.partition("/")'),
    Mutant(
        _ORDER, "folders that moved", "if f in right and _moved", "if f in right and not _moved"
    ),
    Mutant(_ORDER, "files of the left in both", "n for n in left if n in both", "n for n in left"),
    Mutant(
        _ORDER, "files of the right in both", "n for n in right if n in both", "n for n in right"
    ),
    Mutant(
        _ORDER,
        "a RECORD that is no table",
        "except csv.Error:\n        return []",
        "except ZeroDivisionError:\n        return []",
    ),
    Mutant(
        _ORDER,
        "empty rows of RECORD",
        "[row[0] for row in rows if row]",
        "[row[0] for row in rows]",
    ),
)
