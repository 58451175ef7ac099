"""The sources and the lock of the library that gives a build its declared clock.

Imports `builders.core` only. Every program of the build loads the library (ld.so(8), preload). It
is built from C sources in a locked builder image, and its digest is in the claim of every recipe
that declares a clock.
"""
