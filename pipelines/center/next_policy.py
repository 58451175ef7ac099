"""The next version of a center's policy: signed where one operator is enough, else proposed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.center.center import Center
from pipelines.center.file import local_policy_file
from pipelines.center.keys import OPERATOR, SOURCE
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.privatekey import PrivateKey, load_key
from pipelines.policy.changes import PolicyChange, changes
from pipelines.policy.joint import JOINT, to_yaml
from pipelines.policy.model import Policy
from pipelines.policy.signed_policy import FOLDER, LOCK, add_signature
from pipelines.storage import files as durable

_SIGNED = "# The policy of center {id}, as `samebits center` wrote and signed it.\n"


@dataclass(frozen=True, kw_only=True)
class NextPolicy:
    """A policy that follows the one in force, and where it is."""

    policy: Policy
    file: Path
    in_force: bool
    """Whether it is signed, and in the place of the one before; else operators have to sign it."""
    changes: tuple[PolicyChange, ...]

    def lines(self) -> list[str]:
        """Return for people what it changes, and what to do."""
        number = self.policy.version
        told = [f"  {change}" for change in self.changes]
        if self.in_force:
            return [f"policy version {number} is signed and in force: {self.file}", *told]
        signers = f"{self.policy.threshold} of {', '.join(o.name for o in self.policy.operators)}"
        return [
            f"proposed policy, version {number}: {self.file}",
            *told,
            f"It is not in force. {signers} must sign it, each into the same file:",
            f"  samebits policy sign {self.file} --key operator.key --operator NAME --out new.json",
            "Then every center puts the signed file in the place of its policy.",
        ]


def publish_next(center: Center, old: Policy, new: Policy, out: Path | None = None) -> NextPolicy:
    """Sign `new` and put it in force, where `old` is the center's own policy; else write it.

    A proposal goes to `out`, by default a file in the policy folder of the home. Raises
    `KeyFileError`, `InfrastructureError`.
    """
    folder, found = center.home / FOLDER, changes(old, new)
    key = operator_key(center, old)
    if key is None or out is not None:
        path = out or folder / f"proposed-{new.version}.yaml"
        with durable.held(folder / LOCK):
            durable.replace(path, to_yaml(new, JOINT).encode(), mode=0o644)
        return NextPolicy(policy=new, file=path, in_force=False, changes=found)
    signed = add_signature(new, old.operators[0].name, key)
    path = local_policy_file(center.home)
    with durable.held(folder / LOCK):
        text = to_yaml(new, _SIGNED.format(id=center.id))
        durable.replace(folder / SOURCE, text.encode(), mode=0o644)
        durable.replace(path, signed.envelope.to_bytes(), mode=0o644)
    return NextPolicy(policy=new, file=path, in_force=True, changes=found)


def operator_key(center: Center, policy: Policy) -> PrivateKey | None:
    """Return the key of the one operator of a center's own policy; None for any other policy."""
    if center.policy != local_policy_file(center.home) or len(policy.operators) != 1:
        return None
    try:
        key = load_key(center.key_folder, OPERATOR)
    except KeyFileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    return key if key.public.material == policy.operators[0].key.material else None
