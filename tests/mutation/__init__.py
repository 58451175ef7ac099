"""Mutation testing of the trust core: change one place of the code, and require a failing test.

Run on demand by `python -m tests.mutation`; not part of the ordinary test run.
"""
