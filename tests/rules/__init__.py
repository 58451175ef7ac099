"""Tests of pipelines.rules."""
