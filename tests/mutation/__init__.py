"""Mutation testing of the trust core: change one place of the code, and a test must fail.

`python -m tests.mutation --help` says how to run it; it is no part of the ordinary test run.
"""
