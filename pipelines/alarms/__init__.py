"""Alarms: what was once found wrong, which stays listed until an operator acknowledges it.

They are derived from the audit of all runs. May import what stands below nights.
"""
