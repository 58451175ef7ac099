"""Evidence stores behind one interface: a directory, and S3 with a local outbox.

Imports `builders.core` alone; boto3 is imported nowhere else.
"""
