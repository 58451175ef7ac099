"""The declared clock of a build: a library of ours that every program of it loads.

It is built from C sources in a locked builder image, without network (`library`), and counts only
when it has the digest of `preload.lock.yaml` (`lock`); that digest is in the claim of every recipe
that declares a clock.
"""
