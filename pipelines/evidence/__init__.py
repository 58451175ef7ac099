"""Evidence: the report of a run, the signed statements about it, and how both are stored and read.

May import storage, the judge's values and builders; nothing above them.
"""
