"""Prefect's view of the work, in the only folder that imports it: tasks call plain functions."""
