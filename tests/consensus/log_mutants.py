"""Every rule of finding statements in logs that are read again and again, and how it is broken."""

from __future__ import annotations

from tests.mutation import Mutant, off

_LOGGED, _REMEMBERED = "consensus/logged", "consensus/remembered"

LOG_MUTANTS = (
    Mutant(_LOGGED, "of runs alone", "            if of_a_run(facts):\n", "            if True:\n"),
    Mutant(
        _LOGGED,
        "a silent store is silence",
        "except (StoreError, OSError) as error:",
        "except ZeroDivisionError as error:",
    ),
    Mutant(
        _LOGGED,
        "of what is asked about",
        "if pae is None or not self._asks(facts.release, own):",
        "if pae is None:",
    ),
    Mutant(_LOGGED, "and of none", "release == own or release in", "release in"),
    Mutant(_LOGGED, "and not of none alone", " or release in self._releases", ""),
    Mutant(
        _LOGGED,
        "a broken log is read once",
        "if center not in self._found:",
        "if not isinstance(self._found.get(center), _Index | Remembered):",
    ),
    Mutant(
        _LOGGED,
        "a silent one is asked once",
        "except (LogError, SilentError) as error:",
        "except LogError as error:",
    ),
    off(_LOGGED, "who shows no log has no statement", "source is None"),
    Mutant(_LOGGED, "no larger log than fits", " and reader.size <= self._memory.limit:", ":"),
    Mutant(_LOGGED, "what just fits", "reader.size <= self", "reader.size < self"),
    Mutant(
        _LOGGED,
        "the first of a statement",
        "found.places.setdefault(pae, index)",
        "found.places[pae] = index",
    ),
    Mutant(_LOGGED, "each release for itself", "by_release[facts.release]", "by_release[own]"),
    Mutant(
        _REMEMBERED,
        "of the same log alone",
        "if known is None or not _continues(known.tree, reader):",
        "if known is None:",
    ),
    Mutant(
        _REMEMBERED,
        "what does not continue it is another",
        "    except LogError:\n        return False\n",
        "    except LogError:\n        return True\n",
    ),
    Mutant(
        _REMEMBERED,
        "half of a growth is none",
        "    known.tree = None  #",
        "    pass  #",
    ),
    Mutant(
        _REMEMBERED,
        "without a tree nothing is known",
        "    if tree is None:\n        return False\n",
        "    if tree is None:\n        return True\n",
    ),
    Mutant(_REMEMBERED, "the growth alone", "reader.facts(len(known))", "reader.facts()"),
    Mutant(
        _REMEMBERED,
        "the first of a statement",
        "return next(self._at(bytes.fromhex(pae.hex), 0), None)",
        "return max(self._at(bytes.fromhex(pae.hex), 0), default=None)",
    ),
    Mutant(_REMEMBERED, "bytes of one leaf", "if here == offset:", "if True:"),
    Mutant(_REMEMBERED, "the next one too", "self.packed.find(word, found + 1)", "-1"),
    Mutant(
        _REMEMBERED,
        "of runs alone",
        "_tag(facts.release) if of_a_run(facts) else bytes(_TAG)",
        "_tag(facts.release)",
    ),
    Mutant(
        _REMEMBERED,
        "attempts are of runs",
        "in (ComparisonStatement, AttemptStatement)\n",
        "in (ComparisonStatement,)\n",
    ),
    Mutant(
        _REMEMBERED,
        "comparisons are of runs",
        "in (ComparisonStatement, AttemptStatement)\n",
        "in (AttemptStatement,)\n",
    ),
    Mutant(
        _REMEMBERED,
        "commitments take a place",
        "new += (bytes(_PAE) if pae is None else pae) + tag",
        'new += b"" if pae is None else pae + tag',
    ),
    Mutant(
        _REMEMBERED,
        "a failure forgets nothing",
        "                if known is not None:\n",
        "                if False:\n",
    ),
    Mutant(_REMEMBERED, "whatever the failure", "except BaseException:", "except Exception:"),
    Mutant(_REMEMBERED, "one thread at a time", "with self._lock:", "if True:"),
    Mutant(_REMEMBERED, "what was read stays", "            self._logs[key] = found\n", ""),
    Mutant(
        _REMEMBERED,
        "what is known is of the newest tree",
        "    known.tree = reader.checkpoint().checkpoint\n",
        "",
    ),
    Mutant(_REMEMBERED, "no more than the limit", "> self.limit:", "> 10**12:"),
    Mutant(_REMEMBERED, "the oldest goes first", "popitem(last=False)", "popitem(last=True)"),
    Mutant(
        _REMEMBERED,
        "each log for itself",
        "known = self._logs.pop(key, None)",
        "known = self._logs.popitem()[1] if self._logs else None",
    ),
)
