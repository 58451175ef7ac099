"""Stores of evidence, inputs and logs: a directory, or S3 with a local outbox in front of it.

Imports `builders.core` and the byte store interface of `builders.inputs`. Nothing else imports
boto3.
"""
