"""Benchmarks: figures as JSON, each beside what it is compared with, taken in turn in one run."""
