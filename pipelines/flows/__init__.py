"""Prefect flows over plain functions: the only package that imports Prefect.

Imports nightly, requests and what stands below them; holds no logic of its own.
"""
