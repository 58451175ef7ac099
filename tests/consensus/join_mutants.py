"""Every rule by which positions are joined to a result, and how it is broken."""

from __future__ import annotations

from tests.mutation import Mutant, off

_JOIN, _ANSWER, _ALARMS = "consensus/join", "consensus/answer", "consensus/alarms"
_RESULT = "consensus/result"

JOIN_MUTANTS = (
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
)
