"""Vendors' signatures: taken from the shipped file, put onto our bytes, and verified there.

A format is a module with two functions. `plan` says, as a splice plan, how the signed file is made
of our bytes, the signature and what can be derived; `verify` checks the signature of that file
against the pinned signers. Both run in the parser jail. `graft` applies the plan outside of it, and
the digest of what that gives is the verdict. Imports the values and the jail of builders, and
libraries that read and verify signatures.
"""
