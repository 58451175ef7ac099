"""Every rule of the consensus, and how it is left out or broken: none may go unnoticed."""

from __future__ import annotations

from tests.consensus.join_mutants import JOIN_MUTANTS
from tests.consensus.log_mutants import LOG_MUTANTS
from tests.mutation import Mutant

_READING, _VERIFIED = "consensus/reading", "consensus/verified"
_WORK, _PROOFS, _GATHER = "consensus/work", "consensus/proofs", "consensus/gather"
_SUMMARY, _PUBLISH = "consensus/summary", "consensus/publish"
_VSA, _CROSS = "evidence/statements/vsa", "evidence/statements/crosscheck"

MUTANTS = (
    *JOIN_MUTANTS,
    # reading
    Mutant(
        _READING,
        "unknown centers",
        "if all(center.id != source.center for center in policy.centers):",
        "if False:",
    ),
    Mutant(
        _READING, "silence", "except SilentError as error:", "except ZeroDivisionError as error:"
    ),
    Mutant(
        _READING, "a broken log", "except LogError as error:", "except ZeroDivisionError as error:"
    ),
    Mutant(
        _READING,
        "nothing of the release",
        "    if not names and not withheld:\n",
        "    if False:\n",
    ),
    Mutant(_READING, "what the log has is there", "    if withheld or not ", "    if not "),
    Mutant(_READING, "what is withheld is named", "    if withheld:\n", "    if False:\n"),
    Mutant(
        _READING,
        "the newest run must be readable",
        "not max(runs, key=lambda run: run.run).readable:",
        "False:",
    ),
    Mutant(
        _READING,
        "a run must be readable",
        "return read if read.readable else",
        "return read if True else",
    ),
    Mutant(
        _READING, "rubbish hides no mismatch", "if position.verdict not in MATCHES)", "if False)"
    ),
    Mutant(_READING, "of this release", "named.release == str(release) and ", ""),
    Mutant(_READING, "of this run", " and encode(named.run) == run", ""),
    Mutant(
        _READING,
        "an attempt for every run",
        "    if last is None:\n        return [], [_out",
        "    if last is None and False:\n        return [], [_out",
    ),
    Mutant(_READING, "every artefact is compared", "    if missing:\n", "    if False:\n"),
    Mutant(_READING, "one claim", "said.claim != attempt.predicate.claim", "False"),
    # verified
    Mutant(_VERIFIED, "keys of the center", "if k.key.keyid in named]", "]"),
    Mutant(
        _VERIFIED,
        "good signatures",
        "return verify(envelope, known) if known else ()",
        "return tuple(known)",
    ),
    Mutant(
        _VERIFIED,
        "in the log",
        "    if index is None:\n        return",
        "    if index is None:\n        index = 0\n    if False:\n        return",
    ),
    Mutant(_VERIFIED, "where the key counts", " and k.counts_at(index)]", "]"),
    Mutant(_VERIFIED, "an ended key withholds nothing", 'of its log", pae=pae)', 'of its log")'),
    Mutant(_VERIFIED, "of the center itself", "    if named != center:\n", "    if False:\n"),
    Mutant(
        _VERIFIED,
        "of the builder of the policy",
        "return None if builder == member.builder else Why.OTHER_BUILDER",
        "return None",
    ),
    Mutant(
        _VERIFIED,
        "rubbish is named",
        "except (EvidenceError, *_DAMAGED) as error:",
        "except ZeroDivisionError as error:",
    ),
    Mutant(_VERIFIED, "no endless lists", "if len(found) > limit:", "if False:"),
    *LOG_MUTANTS,
    # work
    Mutant(_WORK, "what is not offered is absent", "else Proof.ABSENT", "else Proof.PROVED"),
    Mutant(
        _WORK,
        "what is not ours is wrong",
        "    if ours != theirs:\n",
        "    if ours and ours != theirs:\n",
    ),
    Mutant(
        _WORK,
        "an empty file proves nothing",
        "return Proof.PROVED if theirs.size else Proof.NONE",
        "return Proof.PROVED",
    ),
    Mutant(_WORK, "lines twice", "if offered[name] < 2 else Proof.WRONG", ""),
    Mutant(
        _WORK,
        "the key of that run",
        "seal_key(claimed.center, claimed.run)",
        'seal_key(claimed.center, "")',
    ),
    Mutant(
        _WORK,
        "the key of that center",
        "seal_key(claimed.center, claimed.run)",
        'seal_key("", claimed.run)',
    ),
    Mutant(
        _WORK, "the seal", "Proof.PROVED if digest == claimed.seal else Proof.WRONG", "Proof.PROVED"
    ),
    Mutant(_WORK, "by-products alone", "if line.name in products]", "]"),
    Mutant(_WORK, "closed source", "if salt is None else", "if True else"),
    Mutant(
        _CROSS,
        "wrong and absent first",
        "for bad in (Proof.WRONG, Proof.ABSENT):",
        "for bad in ():",
    ),
    Mutant(_CROSS, "the seal counts", "if bad in {*found, seal}:", "if bad in found:"),
    Mutant(
        _CROSS,
        "by-products prove",
        "return Proof.PROVED if Proof.PROVED in found",
        "return Proof.PROVED if Proof.PROVED in {*found, seal}",
    ),
    Mutant(
        _CROSS, "nobody proves its own work", "if self.checked.center == self.center:", "if False:"
    ),
    Mutant(
        _CROSS,
        "the whole is that of its parts",
        "if self.proof is not overall((file.proof for file in self.files), self.seal):",
        "if False:",
    ),
    # proofs
    Mutant(
        _PROOFS,
        "no operator vouches for itself",
        "in {None, position.place.operator}:",
        "in {None}:",
    ),
    Mutant(
        _PROOFS,
        "doubt first",
        "(Proof.WRONG, Proof.ABSENT, Proof.PROVED, Proof.NONE)",
        "(Proof.PROVED, Proof.ABSENT, Proof.WRONG, Proof.NONE)",
    ),
    Mutant(
        _PROOFS,
        "no cross-check is no proof",
        "    return Proof.ABSENT\n\n\ndef _is_product",
        "    return Proof.PROVED\n\n\ndef _is_product",
    ),
    Mutant(
        _PROOFS,
        "lost bytes prove nothing",
        "work=Proof.ABSENT if build is None else",
        "work=Proof.PROVED if build is None else",
    ),
    Mutant(
        _PROOFS,
        "no provenance is no proof",
        "            return replace(position, work=Proof.ABSENT)",
        "            return replace(position, work=Proof.PROVED)",
    ),
    Mutant(_PROOFS, "the seal of the attempt", "if seals != [position.seal] or", "if"),
    Mutant(
        _PROOFS,
        "the claim and run of the provenance",
        "if (claim, named) != (position.claim, run):",
        "if False:",
    ),
    Mutant(
        _PROOFS,
        "a cross-check of that seal",
        " and signed.statement.subject[0].digest.sha256 == position.seal",
        "",
    ),
    Mutant(_PROOFS, "a cross-check of that run", "if about == run and", "if"),
    Mutant(
        _PROOFS,
        "the seal where outputs are the same",
        "same_outputs=theirs == self._told(",
        "same_outputs=theirs is self._told(",
    ),
    Mutant(
        _GATHER, "matches are to be proved", "proofs.proved(p) if p.verdict in MATCHES else p", "p"
    ),
    Mutant(_GATHER, "what is expected is there", "{*expected, *(", "{*("),
    Mutant(_GATHER, "our newest claim", "    if ours:\n", "    if False:\n"),
    Mutant(_GATHER, "every published digest", "for p in positions)}", "for p in positions[:1])}"),
    # summaries
    Mutant(_SUMMARY, "open is not said", "consensus.passed is None or", "False or"),
    Mutant(
        _SUMMARY,
        "passed only if passed",
        "Summed.PASSED if consensus.passed else Summed.FAILED",
        "Summed.PASSED",
    ),
    Mutant(_SUMMARY, "two bodies", "if len(bodies) > 1 else ()", "if bodies else ()"),
    Mutant(_SUMMARY, "distinct in law", '" ".join(legal[name].split()).casefold()', "name"),
    Mutant(
        _SUMMARY,
        "named by the policy",
        "for name in matched if name in legal}",
        "for name in matched}",
    ),
    Mutant(
        _SUMMARY, "no reviews are no level", "if reviews > 0 else levels", "if True else levels"
    ),
    Mutant(_SUMMARY, "no paths", 'and not locator.startswith("file:")', ""),
    Mutant(_SUMMARY, "names are encoded", 'quote(part, safe="")', "part"),
    Mutant(_PUBLISH, "nothing new is not said", "_says(statement) == _says(former[2])", "False"),
    Mutant(_PUBLISH, "the former is signed by us", "    verify(envelope, keys)\n", ""),
    Mutant(
        _PUBLISH,
        "the former is what its name says",
        'or f"{statement.predicate.consensus.number:06d}" != number',
        "",
    ),
    Mutant(_PUBLISH, "the former is of this file", "or summary_prefix_of(statement) != folder", ""),
    Mutant(_PUBLISH, "cross-checked once", "        if store.has(name):\n", "        if False:\n"),
    Mutant(_PUBLISH, "it supersedes the newest", "name = max(names)", "name = min(names)"),
    Mutant(
        _VSA,
        "passed follows from confirmed",
        'if passed is not (result == "CONFIRMED") and result != "SPLIT":',
        "if False:",
    ),
    Mutant(
        _VSA,
        "failed is the only level",
        "if passed is (FAILED_LEVEL in self.verified_levels) or (",
        "if False and (",
    ),
    Mutant(_VSA, "reproduced takes two", "len(self.consensus.matched) < 2:", "False:"),
    Mutant(
        _VSA,
        "each but the first supersedes",
        "if (self.consensus.number == 1) is not (self.consensus.supersedes is None):",
        "if False:",
    ),
    Mutant(_VSA, "about one file", "if len(self.subject) != 1 or", "if"),
    Mutant(_VSA, "about a plain digest", " or self.subject[0].digest.sha256 is None", ""),
)
