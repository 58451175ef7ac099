"""Normalizers: fields that may be masked where a rebuilt file differs from the shipped one.

The jail says what the bytes that differ are, of each file in a process of its own. Code outside
of it decides which fields count, how many bytes, and whether replaying gives the shipped file.
Imports `builders` and the checksum of PE files in `pipelines.judge.signatures`.
"""
