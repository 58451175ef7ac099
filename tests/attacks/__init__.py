"""The named attacks: what each of them tells its readers in the end."""
