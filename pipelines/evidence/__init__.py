"""What lets a third party repeat the judgement: statements, envelopes, report, redaction."""
