"""Detection rules: what two rule sets say differently, rule by rule.

It explains, and decides nothing: the judge compares bytes and never imports it. Rules are read in
the parser jail, and nothing of them is run. What cannot be decided has the effect `effect-unknown`.
"""
