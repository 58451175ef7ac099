"""Every rule of the consensus, and how it is left out or broken: none may go unnoticed."""

from __future__ import annotations

from tests.mutation import Mutant, off

_JOIN, _ANSWER, _ALARMS = "consensus/join", "consensus/answer", "consensus/alarms"
_RESULT, _READING, _VERIFIED = "consensus/result", "consensus/reading", "consensus/verified"
_WORK, _PROOFS, _GATHER = "consensus/work", "consensus/proofs", "consensus/gather"
_SUMMARY, _PUBLISH = "consensus/summary", "consensus/publish"
_VSA, _CROSS = "evidence/statements/vsa", "evidence/statements/crosscheck"

MUTANTS = (
    # the order
    off(_JOIN, "not checked comes first", "stands <= {Stand.UNCHECKED, Stand.UNTRIED}"),
    Mutant(
        _JOIN,
        "what was not tried is not checked",
        "{Stand.UNCHECKED, Stand.UNTRIED}:",
        "{Stand.UNCHECKED}:",
    ),
    off(_JOIN, "unbuildable", "not stands & BUILT"),
    Mutant(_JOIN, "suspect", "return Result.SUSPECT", "pass"),
    Mutant(_JOIN, "suspect takes k", ">= max(rules.k, 1):", ">= 1:"),
    Mutant(_JOIN, "suspect with no k", ">= max(rules.k, 1):", ">= rules.k:"),
    Mutant(_JOIN, "suspect takes agreement", "max(made.values(), default=0)", "len(dissent)"),
    Mutant(
        _JOIN, "only mismatches agree", "if voice.stand is Stand.MISMATCH)", "if voice.dissents)"
    ),
    off(_JOIN, "split", "matches and dissent"),
    off(_JOIN, "confirmed", "_enough(matches, rules)"),
    Mutant(_JOIN, "those who disagree", "len(made) > 1 or Stand", "Stand"),
    Mutant(
        _JOIN,
        "those who contradict themselves",
        "len(made) > 1 or Stand.DISSENT in stands",
        "len(made) > 1",
    ),
    # enough
    Mutant(_JOIN, "k is at least one", "1 <= rules.k <= len", "rules.k <= len"),
    Mutant(_JOIN, "k operators match", "1 <= rules.k <= len(matches)", "1 <= rules.k"),
    Mutant(_JOIN, "regions", " and len(regions) >= rules.regions", ""),
    Mutant(_JOIN, "regions of matches alone", "for p in voice.matching}", "for p in voice.newest}"),
    Mutant(_JOIN, "the dissent that is allowed", " and dissent <= rules.max_dissent", ""),
    Mutant(
        _JOIN, "a split needs as many matches", "_enough(matches, rules) and dissent", "dissent"
    ),
    Mutant(
        _JOIN,
        "suspect fails",
        "case Result.SUSPECT | Result.NONDETERMINISTIC",
        "case Result.NONDETERMINISTIC",
    ),
    # whose
    Mutant(_JOIN, "equal claims", "if p.claim == question.claim\n        and ", "if "),
    Mutant(
        _JOIN,
        "equal published digests",
        "(p.artefact, p.published) == (question.artefact, question.published)",
        "p.artefact == question.artefact",
    ),
    Mutant(
        _JOIN,
        "the artefact itself",
        "(p.artefact, p.published) == (question.artefact, question.published)",
        "p.published == question.published",
    ),
    Mutant(_JOIN, "others are counted out by name", "counted_out=(*out, ", "counted_out=(*(), "),
    Mutant(
        _JOIN,
        "independence is in operators",
        "by_operator[position.place.operator]",
        "by_operator[position.place.center]",
    ),
    Mutant(_JOIN, "shared keys", "if len(operators) > 1)", "if len(operators) > 99)"),
    Mutant(
        _JOIN,
        "shared by operators, not centers",
        ".add(position.place.operator)",
        ".add(position.place.center)",
    ),
    Mutant(
        _JOIN,
        "shared under any claim",
        "_shared_keys(given)\n    by",
        "_shared_keys(about)\n    by",
    ),
    Mutant(_JOIN, "work proof", "else _UNPROVED.get(position.work)", "else None"),
    Mutant(_JOIN, "work proof absent", "{Proof.ABSENT: Why.WORK_ABSENT, ", "{"),
    Mutant(_JOIN, "work proof wrong", ", Proof.WRONG: Why.WORK_WRONG}", "}"),
    Mutant(_JOIN, "equivalent is named", "{Stand.EQUIVALENT: Why.EQUIVALENT, ", "{"),
    Mutant(
        _JOIN, "contradiction", "if _contradicts([answer for _, answer in every]):", "if False:"
    ),
    Mutant(_JOIN, "contradiction of bytes", " or len({a.made for a in judged}) > 1", ""),
    Mutant(
        _JOIN,
        "contradiction in one statement",
        "any(a.stand is Stand.DISSENT for a in judged) or ",
        "",
    ),
    Mutant(
        _JOIN,
        "contradiction over all that was said",
        "answer for _, answer in every]",
        "answer for p, answer in every if newest[p.place.center] is p]",
    ),
    Mutant(
        _JOIN,
        "served digests of this file alone",
        "served(p for p in given if p.published == question.published)",
        "served(given)",
    ),
    Mutant(
        _JOIN, "served under any claim", "served(p for p in given if", "served(p for p in about if"
    ),
    # answers
    Mutant(
        _ANSWER, "unbuilt is no answer", "if position.outcome is not Outcome.BUILT:", "if False:"
    ),
    Mutant(
        _ANSWER,
        "a verdict without a build",
        "if position.verdict is not Verdict.NOT_CHECKED:",
        "if False:",
    ),
    Mutant(
        _ANSWER,
        "cancelled is no failure",
        "untried = position.outcome in _UNTRIED",
        "untried = False",
    ),
    Mutant(_ANSWER, "digests bear verdicts out", "if not _sound(position):", "if False:"),
    Mutant(
        _ANSWER,
        "nondeterministic is dissent",
        "case Verdict.DIFFERENT if CauseName.NONDETERMINISTIC in position.causes:",
        "case Verdict.DIFFERENT if False:",
    ),
    Mutant(
        _ANSWER,
        "equivalent by allowed normalizers alone",
        "if position.normalizers <= normalizers:",
        "if True:",
    ),
    Mutant(
        _ANSWER,
        "equivalent is no match",
        "return Answer(stand=Stand.EQUIVALENT, made=made)",
        "return Answer(stand=Stand.MATCH, made=made)",
    ),
    Mutant(
        _ANSWER,
        "served another is no match",
        "return Answer(stand=Stand.SERVED_OTHER, made=made)",
        "return Answer(stand=Stand.MATCH, made=made)",
    ),
    Mutant(
        _ANSWER,
        "served another and built another",
        "case Verdict.SHIPPED_MISMATCH if _is(made, position.published):",
        "case Verdict.SHIPPED_MISMATCH:",
    ),
    Mutant(
        _ANSWER,
        "shipped mismatch of something",
        "position.served is not None and not genuine",
        "not genuine",
    ),
    Mutant(
        _ANSWER,
        "shipped mismatch of another",
        "position.served is not None and not genuine",
        "position.served is not None",
    ),
    Mutant(
        _ANSWER,
        "different from what was served",
        "Verdict.DIFFERENT: genuine and other",
        "Verdict.DIFFERENT: other",
    ),
    Mutant(
        _ANSWER,
        "different bytes",
        "Verdict.DIFFERENT: genuine and other",
        "Verdict.DIFFERENT: genuine",
    ),
    Mutant(_ANSWER, "unexpected", "Verdict.UNEXPECTED: False", "Verdict.UNEXPECTED: True"),
    Mutant(_ANSWER, "missing", "Verdict.MISSING: made is None", "Verdict.MISSING: True"),
    Mutant(
        _ANSWER,
        "equivalent to what was served",
        "Verdict.EQUIVALENT: genuine and other",
        "Verdict.EQUIVALENT: other",
    ),
    Mutant(
        _ANSWER,
        "equivalent of other bytes",
        "Verdict.EQUIVALENT: genuine and other and",
        "Verdict.EQUIVALENT: genuine and",
    ),
    Mutant(_ANSWER, "equivalent by something", "other and bool(position.normalizers)", "other"),
    Mutant(_ANSWER, "grafted", " and position.grafted == published", ""),
    Mutant(_ANSWER, "grafted onto a build", "genuine and made is not None and", "genuine and"),
    Mutant(
        _ANSWER,
        "grafted and served",
        "Verdict.IDENTICAL_SIGNED: genuine and",
        "Verdict.IDENTICAL_SIGNED:",
    ),
    Mutant(
        _ANSWER,
        "identical bytes",
        "Verdict.IDENTICAL: genuine and _is(made, published)",
        "Verdict.IDENTICAL: genuine",
    ),
    Mutant(
        _ANSWER,
        "identical to what was served",
        "Verdict.IDENTICAL: genuine and _is(made, published)",
        "Verdict.IDENTICAL: _is(made, published)",
    ),
    Mutant(
        _ANSWER,
        "plain digests alone",
        "made.sha256 == digest",
        "(made.sha256 or made.hmac_sha256) == digest",
    ),
    # alarms and exit codes
    Mutant(
        _ALARMS, "newest by the log", "position.index > there.index", "position.time > there.time"
    ),
    Mutant(_ALARMS, "a region served another file", "if s.digest != published)", "if False)"),
    Mutant(
        _ALARMS,
        "regions served different files",
        "if len({s.digest for s in seen}) > 1:",
        "if False:",
    ),
    Mutant(
        _ALARMS,
        "newest that was served anything",
        "(p for p in positions if p.served is not None)",
        "(positions)",
    ),
    Mutant(_RESULT, "exit code of a failure", "one.passed is False or one.alarms", "one.alarms"),
    Mutant(
        _RESULT, "exit code of an alarm", "one.passed is False or one.alarms", "one.passed is False"
    ),
    Mutant(_RESULT, "nothing is no pass", "return 0 if results and all(", "return 0 if all("),
    Mutant(
        _RESULT, "all must pass", "results and all(one.passed for", "results and any(one.passed for"
    ),
    Mutant(
        _RESULT,
        "no proof is said",
        "return Proof.PROVED if works == {Proof.PROVED} else",
        "return Proof.PROVED if works else",
    ),
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
