"""What `samebits verify` writes for other programs: JUnit XML, SARIF, annotations of GitHub.

Imports the report and what is below it.
"""
