"""What each step of a run is given: the services of its center, and the run itself.

Services are made once in a process and passed explicitly. A `Job` is small, frozen and holds none.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

from builders.container.spec import RunLabels
from builders.core.digest import Digest
from builders.core.errors import CancelledError
from builders.core.runid import RunId
from builders.engine import Engine
from builders.images import ImageCatalogue
from builders.inputs.archive_member import MemberFetcher
from builders.inputs.fetching import FetchProgress
from builders.inputs.vault import Vault
from builders.jail import Jail, ParserJail
from builders.locators.aptstate import AptStates
from builders.locators.fetcher import Fetcher
from builders.locators.machine import MachineFetcher
from builders.locators.offline import OfflineFetcher
from builders.recipe.recipe import LoadedRecipe, Recipe
from pipelines.audit.base_runs import is_own_statement
from pipelines.audit.kept_logs import KeptLogs
from pipelines.audit.log_index import LogIndex
from pipelines.center.center import Center
from pipelines.center.consensus_view import open_view
from pipelines.center.keys import center_key, is_unmade, log_key, policy_file, public_keys
from pipelines.center.logbook import Logbook
from pipelines.center.logs import cosigned_trees
from pipelines.consensus.release_consensus import ConsensusView
from pipelines.consensus.summaries import check_summary
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.log.checkpoint import Checkpoint
from pipelines.policy import Policy, load_policy
from pipelines.signer import CenterSigner, LocalSigner, SocketSigner
from pipelines.signer.local_signer import log_signer
from pipelines.storage.bounded import BoundedStore
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.files import FolderCache
from pipelines.storage.names import Visibility
from pipelines.storage.opening import open_center_store, open_store
from pipelines.storage.outbox import CachingStore, Flushed, OutboxStore
from pipelines.storage.store import Store
from pipelines.verify.budget import Ledger
from pipelines.verify.cancellation import RunCancellation
from pipelines.verify.readers import READERS

_LOG = logging.getLogger("samebits")
_ROUND = 60.0
"""Seconds in which a peer costs its budget once, whoever reads it."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of a release: which recipe, for which center, under which run id, in which folder."""

    loaded: LoadedRecipe
    center: str
    run: RunId
    folder: Path
    flow_run: str = ""

    @property
    def recipe(self) -> Recipe:
        """The parsed recipe."""
        return self.loaded.recipe

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return self.recipe.release

    @property
    def labels(self) -> RunLabels:
        """The labels of everything that is created for this run."""
        return RunLabels(run=self.run, center=self.center, flow_run=self.flow_run)

    def attempt(self, number: int) -> Path:
        """Return the folder of one attempt, from 1."""
        return self.folder / f"attempt-{number}"


class Sink(Protocol):
    """Takes what is to be shown."""

    def step(self, release: str, step: str) -> None:
        """Show that a release has come to `step`."""

    def detail(self, release: str, text: str) -> None:
        """Show that something moves within the current step."""

    def done(self, release: str, text: str) -> None:
        """Show that a release is finished."""


class LogSink:
    """The default: the log of the process, as a scheduler's worker keeps it."""

    def step(self, release: str, step: str) -> None:
        """Log the step."""
        _LOG.info("%s: %s", release, step)

    def detail(self, release: str, text: str) -> None:
        """Log the detail, for those who want to know."""
        _LOG.debug("%s: %s", release, text)

    def done(self, release: str, text: str) -> None:
        """Log the end."""
        _LOG.info("%s: %s", release, text)


class Session:
    """Store, vault, signer, log, images, engine and policy of one center; each made on first use.

    Made at the edge (a command, a flow run, a service) and passed on as an argument. A context
    manager: leaving it closes the connection to the engine, and ends the jail.
    """

    def __init__(
        self,
        center: Center,
        *,
        progress: Sink | None = None,
        offline: bool = False,
        jail: Jail | None = None,
    ) -> None:
        """Work for `center`, and report progress to `progress`, by default the process's log.

        `offline`: inputs, images and shipped files come from this machine alone. `jail`: where
        foreign files are read; by default one that starts when it is first needed.
        """
        self.center = center
        self.offline = offline
        self.progress = progress or LogSink()
        self.diffoscope = False
        """Whether diffoscope explains what differs, whatever the recipe says."""
        self.jail: Jail = jail or ParserJail(READERS)
        self.cancelled = threading.Event()
        self._runs: dict[str, RunCancellation] = {}
        self._image_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def __enter__(self) -> Self:
        """Return the session."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection to the engine, if there is one, and end the jail."""
        if "engine" in self.__dict__:
            self.engine.close()
        self.jail.close()

    def renewed(self, center: Center) -> Self:
        """Return a session for the center as its file has it now, cancelled with this one."""
        session = type(self)(center, progress=self.progress, offline=self.offline, jail=self.jail)
        session.cancelled = self.cancelled
        return session

    def prepare(self, *, signs: bool = True) -> None:
        """Make what runs share, before threads could make two of one; raises `EngineError`.

        Runs that leave no evidence need no signer.
        """
        self.jail.start()
        _ = self.vault, self.fetcher, self.images, self.engine, self.budget
        if signs:
            _ = self.signer

    def cancellation(self, run: str) -> RunCancellation:
        """Return what is set once `run` is cancelled, alone or with the session."""
        return self._runs.setdefault(run, RunCancellation(self.cancelled))

    def raise_if_cancelled(self, run: str | None = None) -> None:
        """Raise `CancelledError` once the session was cancelled, or `run` of it."""
        if (self.cancelled if run is None else self.cancellation(run)).is_set():
            raise CancelledError("the run was cancelled")

    @cached_property
    def store(self) -> Store:
        """The center's evidence store."""
        return open_center_store(self.center.store, self.center.home / "outbox")

    def check_store(self) -> None:
        """Write a few bytes, so that a store that cannot be written fails before anything runs."""
        self.store.put_cas(Visibility.PRIVATE, b"samebits can write here\n")

    def flush(self) -> Flushed | None:
        """Send the evidence that waits in the outbox; None for a store without one."""
        return self.store.flush() if isinstance(self.store, OutboxStore) else None

    @cached_property
    def vault(self) -> Vault:
        """The center's inputs; those of a remote store are cached on this machine."""
        if isinstance(self.store, DirectoryStore):
            return Vault(self.store)
        return Vault(CachingStore(self.center.home / "vault", self.store))

    @cached_property
    def contents(self) -> FolderCache:
        """What is known of the contents of inputs, by digest."""
        return FolderCache(self.center.home / "cache" / "contents")

    @cached_property
    def signer(self) -> CenterSigner:
        """The center's signer: behind its socket if its file names one, else in this process.

        Raises `KeyFileError`.
        """
        if self.center.signer is not None:
            return SocketSigner(self.center.signer)
        self.workdir.mkdir(parents=True, exist_ok=True)
        return LocalSigner(
            self.center,
            self.store,
            key=center_key(self.center),
            log=log_signer(self.center),
            jail=self.jail,
            vault=self.vault,
            scratch=self.workdir,
            cache=self.contents,
            summaries=self.check_summary,
            is_logged=self.is_logged,
            former_keys=lambda: self.statement_keys,
        )

    def check_summary(self, statement: SummaryStatement, now: datetime) -> None:
        """Recompute the consensus that a summary states; raises `RefusedError` when it differs."""
        check_summary(self.consensus_view(now), statement, now)

    def is_logged(self, pae: Digest) -> bool:
        """Say whether the center's log has the statement with that digest (`Envelope.digest`).

        A signer behind a socket reads the log as everybody does: it writes none.
        """
        if self.center.signer is None:
            return self.logbook().log.find(f"pae:{pae}") is not None
        policy = self.policy(datetime.now(UTC))
        logs = LogIndex({self.center.id: self.store}, policy, self.kept_logs)
        return logs.index_of(self.center.id, pae) is not None

    def is_own(self, envelope: Envelope) -> bool:
        """Say whether a key of the center has signed a statement, and its log has it."""
        return is_own_statement(envelope, self.statement_keys, self.is_logged)

    @cached_property
    def statement_keys(self) -> tuple[PublicKey, ...]:
        """The keys of the center for statements: its own, and those that its policy knows."""
        policy = self.policy(datetime.now(UTC))
        known = (key.key for c in policy.centers if c.id == self.center.id for key in c.keys)
        return (public_keys(self.center)["statements"], *known)

    def logbook(self) -> Logbook:
        """Return the center's log for writing; raises `KeyFileError` without its key."""
        signer = self.signer.checkpoint_signer(log_key(self.center))
        return Logbook(
            self.center,
            store=self.store,
            log_store=open_store(self.center.store),
            signer=signer,
            cosigned=lambda: self.cosigned,
        )

    @cached_property
    def cosigned(self) -> tuple[Checkpoint, ...]:
        """What the peers have cosigned of the center's log; raises as `cosigned_trees` does."""
        return tuple(cosigned_trees(self.center))

    def policy(self, now: datetime) -> Policy:
        """Return the policy that is in force at `now` (UTC); raises what `load_policy` raises."""
        return load_policy(policy_file(self.center), home=self.center.home, now=now)

    def made_policy(self, now: datetime) -> Policy | None:
        """Return the policy as `policy` does; None where it would have to be made first.

        The one that would be made demands nothing of a release.
        """
        return None if is_unmade(self.center) else self.policy(now)

    def consensus_view(self, now: datetime) -> ConsensusView:
        """Return the center's view for consensus at `now` (UTC); raises as `open_view` does.

        It shares what peers may cost with other views of the same minute.
        """
        for peer in self.peer_stores.values():
            peer.budget.renew(after=_ROUND)
        return open_view(self.center, self.store, now, self.peer_stores, self.kept_logs)

    @cached_property
    def kept_logs(self) -> KeptLogs:
        """What this user has read of the logs of centers; a signer believes no other user's."""
        return KeptLogs(self.center.home / "cache" / f"logs-{os.geteuid()}")

    @cached_property
    def peer_stores(self) -> dict[str, BoundedStore]:
        """The stores of the center's peers, each with its budget."""
        return {peer.id: peer.open() for peer in self.center.peers}

    @cached_property
    def states(self) -> AptStates:
        """The center's private apt states."""
        return AptStates(self.center.home / "apt", self.center.mirrors)

    @cached_property
    def fetcher(self) -> Fetcher:
        """Fetches through the package registries of this machine; offline, from its files alone."""
        if self.offline:
            return OfflineFetcher()
        return MemberFetcher(MachineFetcher(self.states), self.jail)

    @cached_property
    def images(self) -> ImageCatalogue:
        """The builder images of the center's recipes folder."""
        return ImageCatalogue(
            self.center.recipes / "images",
            self.vault,
            self.fetcher,
            self.workdir,
            self.states,
            derived=self.center.home / "images",
        )

    @cached_property
    def engine(self) -> Engine:
        """The container engine; raises `EngineError` when none answers."""
        return Engine.connect(self.center.engine)

    @cached_property
    def budget(self) -> Ledger:
        """The cores and memory of the machine, or of the center's limit, for all its rebuilds."""
        facts = self.engine.info()
        memory = min(facts.memory, self.center.limits.memory or facts.memory)
        return Ledger(self.center.home / "budget", cpus=facts.cpus, memory=memory)

    @property
    def workdir(self) -> Path:
        """The folder of half-fetched files and half-built images."""
        return self.center.home / "work"

    def image_lock(self, name: str) -> threading.Lock:
        """Return the lock held while that image is built: concurrent runs build it once."""
        return self._image_locks[name]

    def counter(self, release: str, run: str | None = None) -> FetchProgress:
        """Return a progress counter (done, total, what) at which a cancelled run ends."""

        def count(done: int, total: int, what: str) -> None:
            self.raise_if_cancelled(run)
            self.progress.detail(release, f"{what} ({done}/{total})" if total else what)

        return count

    def sweep(self, run: str) -> None:
        """Remove the containers that an interrupted step of `run` left, if an engine was used."""
        if "engine" in self.__dict__:
            self.engine.sweep(run)
