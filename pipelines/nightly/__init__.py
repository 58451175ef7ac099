"""A night: everything shipped, rebuilt or looked at again, and what has changed since the last."""
