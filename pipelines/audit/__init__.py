"""The audit: what may be believed of the stores and logs of centers, under a signed policy.

May import policy, the log, evidence, storage and the judge's values. Nothing else decides whether a
record of a store counts.
"""
