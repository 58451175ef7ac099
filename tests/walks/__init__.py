"""Each test module is one user's way through samebits, from first to last command, as a story."""
