"""Review pages on loopback: what a reviewer reads of a release before approving it.

They show private source, which the portal must never do: so they are a package of their own, which
nothing imports but the command. They decide nothing and hold no key: a decision is prepared here
and signed in a terminal, which finds out for itself what it signs. Imports what stands below it,
and the templates of the portal.
"""
