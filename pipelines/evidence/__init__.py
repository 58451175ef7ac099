"""What lets a third party repeat the judgement: statements, envelopes, report, redaction.

Imports explain, storage, judge and builders; no log, no policy and no key of a center.
"""
