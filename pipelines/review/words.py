"""Words of values that pages show, marked for the catalogs: templates translate them as variables.

What people have written, names of verdicts and what errors say stays as it is.
"""

from __future__ import annotations

from pipelines.portal.translation import translatable as _

WORDS = (
    # kinds of changes
    _("added"), _("removed"), _("changed"), _("renamed"), _("with another mode"),
    # why no lines are shown
    _("binary"), _("larger than 16 MiB"), _("not compared within its time"),
    # states of questions, what is said, and visibilities
    _("open"), _("answered"), _("withdrawn"), _("approve"), _("withdraw"), _("comment"),
    _("question"), _("answer"), _("withdrawal"), _("public"), _("private"),
    # why a review does not count
    _("its payload is of another type"), _("it is not a review"),
    _("its key is not in the policy"), _("its key is revoked"), _("its signature is wrong"),
    _("its key belongs to another name"), _("it is about another source"),
    _("it is about another claim"), _("it is about another scope"),
    _("it approves no scope, and the policy requires one"), _("it was made in the future"),
    _("it was withdrawn"), _("a newer one of the same reviewer counts"),
    _("not every source was approved"), _("another name has used the same key"),
    _("it is about a question that is not known here"), _("only its author withdraws a question"),
    _("there is no policy that can be used"), _("a newer one counts"),
    # what to compare with
    _("what I approved last"), _("what any reviewer approved last"), _("nothing: the whole source"),
)  # fmt: skip
