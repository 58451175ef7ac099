"""What happens to the outputs of a rebuild: judged, signed, stored, joined and shown."""
