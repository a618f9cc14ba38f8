"""One attempt at one stage of a run, from its start to its commit, failure or interruption."""

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Self

from seedbed.contracts import RunStatus
from seedbed.errors import Conflict, InvalidInput, NotFound, SeedbedError, StoreUnavailable
from seedbed.records._status import Status, claim_key, is_claimed, last_written, write_status
from seedbed.records._views import FIRST_VIEWS, views, write_latest
from seedbed.records.canonical._canonical import plain, readable_json
from seedbed.records.canonical._names import DOCUMENT_RULE, is_document_name, is_name, require_name
from seedbed.records.canonical._redaction import redacted
from seedbed.records.journal._frames import Frames, is_foreign, parse_frames
from seedbed.records.journal._journal import Journal
from seedbed.records.journal._step_metrics import EventsLog, events_of
from seedbed.records.log._log import CommitLog
from seedbed.records.log._untold import added_summaries, resumed_at, untold_changes
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._course import resumes_of
from seedbed.records.snapshot._draft import SnapshotDraft
from seedbed.records.snapshot._schema import NOT_APPLICABLE, SCHEMA_BLOB, SHIPPED, MetadataSchema
from seedbed.records.snapshot._snapshot import LogHead
from seedbed.records.storage._blobs import Blobs
from seedbed.records.storage._clock import Clock
from seedbed.records.storage._layout import EVENTS, EVENTS_TAIL, run_folder
from seedbed.records.storage._local import names_in, read_regular
from seedbed.records.storage._location import StoreLocation
from seedbed.records.storage._owner import Owner

__all__ = ["ActiveRun"]

_logger = logging.getLogger("seedbed.records")
_HEARTBEAT_SECONDS = 5.0


class ActiveRun:
    """A running attempt, written by this process only. Leaving its `with` block by an exception ends it as failed."""

    def __init__(self, place: StoreLocation, log: CommitLog, status: Status, clock: Clock) -> None:
        self.project = status.project
        self.run_id = status.run_id
        self.stage = status.stage
        self.attempt = status.attempt
        self._key = run_folder(status.project, status.run_id, status.stage)
        self.folder = place.work / self._key
        self._files = place.files
        self._is_remote = place.is_remote
        self._commits = log
        self._clock = clock
        self._status = self._sent_status = status
        self._beat_due = clock.monotonic() + _HEARTBEAT_SECONDS
        self._owner = Owner()
        # Held while events.log is opened or left and while the status is written: any thread may log.
        self._lock = threading.RLock()
        self._is_ending = False
        self._lost = ""  # why this attempt is another's to end, once it is
        self._commit_seconds = 1.0  # how long a point may wait to be durable
        self._events: EventsLog | None = None
        self._journals: dict[str, Journal] = {}
        self._blobs: dict[str, str] = {}

    @classmethod
    def claim(cls, place: StoreLocation, log: CommitLog, status: Status, clock: Clock) -> Self:
        """Claim the attempt that `status` names.

        Raises Conflict when another process claimed it first, and StoreCorrupt when what stands there is no file.
        """
        run = cls(place, log, status, clock)
        key = claim_key(run._key, status.attempt)
        try:
            place.files.create(key, status.encoded(), durable=False)  # the first file beside it makes it durable
        except FileExistsError:
            with contextlib.suppress(NotFound):
                place.files.read(key)
            raise Conflict(
                f"attempt {status.attempt} of {status.run_id}:{status.stage} was just taken by another process; "
                "wait for it to end, or start another run: leave the run_id out and one is made, or give a new run_id"
            ) from None
        return run

    def path(self, name: str) -> Path:
        """The path of the file `name` in the run's folder, for a file of your own.

        Raises InvalidInput when that is no plain name, or ends in .log as only the run's own logs do.
        """
        if require_name("file name", name).endswith(".log") and name != EVENTS:
            raise InvalidInput(
                f"the file {name!r} cannot be one of your own, since each .log in the run's folder is a log that "
                f"`finish` checks; give it another ending, such as {name.removesuffix('.log')}.txt, or keep records in "
                f"run.journal({name.removesuffix('.log')!r})"
            )
        return self.folder / name

    def journal(self, name: str = "changes") -> Journal:
        """The journal in the file `name`.log of the run's folder; `changes` is the one that a ChangeEngine takes.

        All attempts of the run append to it, and no other run does. It is closed when the attempt ends.
        Raises InvalidInput for a name that no document can have, or that of the step metrics, Conflict as `beat`,
        otherwise as `Journal.open`.
        """
        if not is_document_name(name):
            raise InvalidInput(f"the journal {name!r} cannot be a file in the run's folder, expected {DOCUMENT_RULE}")
        file = f"{name}.log"
        if file.lower() == EVENTS:  # on many file systems the case of letters makes no other file
            raise InvalidInput(f"{EVENTS} holds the step metrics of the run; give the journal another name")
        self._require_running()
        if name not in self._journals:
            self._require_not_taken()
            self._journals[name] = Journal.open(self.folder / file)
        return self._journals[name]

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log metrics at `step` to events.log and record a heartbeat, from any thread, until the run ends.

        Raises InvalidInput for a step that is no integer and values that are no numbers, StoreUnavailable, and Conflict
        as `beat` and once the run ends.
        """
        if self._clock.monotonic() >= self._beat_due:
            self.beat()  # first, so that an attempt that another has taken writes nothing
        # The log is open only while the run is, and refuses a forked child: so nothing more is asked for every point.
        (self._events or self._open_events()).append(step, values)

    def recover_log(self) -> int:
        """Open events.log before the first `log`; returns how many bytes of a torn last record were cut off."""
        return self._open_events().torn_bytes

    def beat(self) -> None:
        """Record a heartbeat. It is written every five seconds at most, so call this as often as you like.

        Raises Conflict when the run has ended, also when somebody else has ended it (`Store.end`) or begun its next
        attempt: then nothing more is written.
        """
        if self._clock.monotonic() >= self._beat_due:
            self._require_here()
            with self._lock:
                self._require_not_ended()
                self._require_not_taken()
                if self._events:
                    self._events.commit()
                now, due = self._clock.now(), self._clock.monotonic() + _HEARTBEAT_SECONDS
                self._write_status(self._status.model_copy(update={"heartbeat": now}), durable=False)
                self._beat_due = due

    def write_document(self, name: str, value: object) -> None:
        """Write `name`.json for people to read beside the run. To keep a document, put it into the draft.

        Raises InvalidInput for a value that is not JSON or a name of one of the run's own files, StoreUnavailable, and
        Conflict once another has ended the attempt or begun the next.
        """
        if not is_document_name(name):
            raise InvalidInput(f"the document {name!r} cannot be a file in the run's folder, expected {DOCUMENT_RULE}")
        self._require_here()
        self._require_not_taken()
        self._files.replace(f"{self._key}/{name}.json", readable_json(redacted(plain(value))), durable=False)

    def save_blob(self, name: str, data: bytes) -> str:
        """Store `data` durably as a blob; `finish` records it under `name`. Returns its digest."""
        self._require_here()
        self._blobs[name] = Blobs(self._files, self._clock).put(data)
        return self._blobs[name]

    def draft(
        self,
        metadata: Mapping[str, object] = MappingProxyType({}),
        metrics: Mapping[str, object] = MappingProxyType({}),
        fingerprints: Mapping[str, str] = MappingProxyType({}),
        config: Mapping[str, object] = MappingProxyType({}),
        documents: Mapping[str, object] = MappingProxyType({}),
        schema: MetadataSchema | None = None,
        *,
        timing: Mapping[str, object] = MappingProxyType({}),
        volatile_settings: tuple[str, ...] = (),
        fingerprint_sources: Mapping[str, str] = MappingProxyType({}),
        factors: Mapping[str, object] = MappingProxyType({}),
        inputs: Mapping[str, object] = MappingProxyType({}),
        process: Mapping[str, object] = MappingProxyType({}),
        outputs: Mapping[str, object] = MappingProxyType({}),
        blobs: Mapping[str, str] = MappingProxyType({}),
        predictions: str = NOT_APPLICABLE,
        symbol: str = NOT_APPLICABLE,
        experiment_id: str = NOT_APPLICABLE,
    ) -> SnapshotDraft:
        """A draft of this attempt, with stage and run_id in the metadata. Raises InvalidInput as `SnapshotDraft`.

        It takes all that `SnapshotDraft` takes but what the run knows of itself. Without a schema, the metadata is that
        of `SnapshotDraft`: EXPERIMENT, of which every field may be left out.
        """
        return SnapshotDraft(
            project=self.project,
            run_id=self.run_id,
            stage=self.stage,
            attempt=self.attempt,
            metadata={**metadata, "stage": self.stage, "run_id": self.run_id},
            metrics=metrics,
            fingerprints=fingerprints,
            config=config,
            documents=documents,
            schema=schema,
            timing=timing,
            volatile_settings=volatile_settings,
            fingerprint_sources=fingerprint_sources,
            factors=factors,
            inputs=inputs,
            process=process,
            outputs=outputs,
            blobs=blobs,
            predictions=predictions,
            symbol=symbol,
            experiment_id=experiment_id,
        )

    def finish(self, draft: SnapshotDraft) -> Commit:
        """Commit `draft` and end the run: durable on return. Calling it again with the same content is a no-op.

        Of its views snapshot.json and audit_run.json are written, and those that would show something else than this
        commit; `write_views` writes all. Where one, LATEST.json or a promotion by rule cannot be written after the
        commit, the logger seedbed.records warns, and says what can be done; the run is committed all the same.
        A summary of the changes in each journal of this attempt is added to the documents, under the journal's name,
        unless the draft has the same summary there or under a name of no journal.
        Raises InvalidInput when the draft belongs to another run or has something else under a journal's name; NotFound
        when a blob is missing; Conflict as `beat`, and when other content is committed under this run, stage and
        attempt; StoreCorrupt when a log of the run is damaged; StoreUnavailable: then the same call can be repeated.
        So can it once another program's file that ends in .log, for which it raises InvalidInput, is moved away.
        """
        self._require_own(draft)
        with self._ending(again=RunStatus.FINISHED):
            return self._committed(draft)

    def _committed(self, draft: SnapshotDraft) -> Commit:
        self._close_events()
        here = set(names_in(self.folder))
        there = self._in_store() if self._is_remote else here
        if draft.metadata_schema not in SHIPPED:
            self.save_blob(SCHEMA_BLOB, readable_json(draft.metadata_schema.declaration()))
        summaries = {
            name: found for name, journal in self._journals.items() if (found := journal.summary()) is not None
        }
        made, told = added_summaries(summaries, draft.documents)
        blobs, documents = {**self._blobs, **draft.blobs}, {**made, **draft.documents}
        is_complete = len(blobs) == len(draft.blobs) and not made
        complete = draft if is_complete else dataclasses.replace(draft, blobs=blobs, documents=documents)
        for digest in complete.blobs.values():
            Blobs(self._files, self._clock).keep(digest)
        names = (name for name in sorted(here) if name.endswith(".log") and is_name(name))
        logs = {self.folder / name: self._frames_of(self.folder / name) for name in names}
        points = self._points(logs)
        resumes = resumes_of(self.attempt, points, map(resumed_at, logs.values()))
        untold = untold_changes(
            {path.name: frames for path, frames in logs.items()}, documents, told, points, self.attempt
        )
        commit = self._commits.append(complete, self._log_heads(logs), self._clock.now(), resumes, untold)
        if self._status.status != RunStatus.FINISHED:
            self._warn_of_untold(untold)
        self._follow(commit, there)
        return commit

    def _frames_of(self, path: Path) -> Frames:
        data = read_regular(path)
        if is_foreign(data):
            raise InvalidInput(
                f"{path} holds no record of a log, and each file in the run's folder that ends in .log has to be one; "
                "move it away or give it another ending, then call `finish` again"
            )
        return parse_frames(data, path)

    def _warn_of_untold(self, journals: Iterable[str]) -> None:
        for name in journals:
            _logger.warning(
                "no document tells of the changes in %s of %s:%s, so the run is comparable with none: an attempt that "
                "goes on takes an engine for that journal, and resumes it with the state of its checkpoint",
                name,
                self.run_id,
                self.stage.value,
            )

    def _follow(self, commit: Commit, there: Set[str]) -> None:
        """Write what follows from `commit` and end the run; the commit stands, whatever of it cannot be written.

        Views that were `there` before are written again, since they show something else.
        """
        now, again = self._clock.now(), "once it can be written, `seedbed runs fsck --repair` does it"
        promote = partial(self._commits.promote_by_rule, commit, now)
        self._tried(commit, promote, f"`seedbed runs promote {self.run_id}` makes it a baseline, if it is to be one")
        for name, data in views(commit, FIRST_VIEWS | there).items():
            self._tried(commit, partial(self._files.replace, f"{self._key}/{name}", data, durable=False), again)
        self._tried(commit, partial(write_latest, self._files, self._commits, commit), again)
        self._end(RunStatus.FINISHED, "", commit)

    def _in_store(self) -> set[str]:
        """The names of the files in the run's folder in the store."""
        return {item.key.rpartition("/")[2] for item in self._files.list(self._key, deep=False)}

    def _tried(self, commit: Commit, write: Callable[[], object], remedy: str) -> None:
        """Call `write`; where it fails, warn, and say what can be done."""
        try:
            write()
        except SeedbedError as problem:
            failed = str(problem).partition("; ")[0]  # without the advice to do all of it again
            who = f"{self.run_id}:{self.stage.value}"
            _logger.warning("%s is committed as number %d, but: %s; %s", who, commit.seq, failed, remedy)

    def interrupted(self, reason: str) -> None:
        """End the attempt as interrupted; the stage can be started again.

        Raises StoreUnavailable, and StoreCorrupt for a damaged events.log, but the attempt has ended then if it can be
        written that it has; Conflict as `beat`.
        """
        self._give_up(RunStatus.INTERRUPTED, reason)

    def failed(self, reason: str) -> None:
        """End the attempt as failed; the stage can be started again. Raises as `interrupted`."""
        self._give_up(RunStatus.FAILED, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, _: object) -> None:
        if self._status.status != RunStatus.RUNNING or not self._owner.is_here:
            return  # a forked child that leaves the block does not end the run of its parent
        if problem is None:
            self.failed("left without a commit: finish(draft) was not called")
            return
        name = type(problem).__name__
        try:
            if isinstance(problem, Exception):
                self.failed(f"{name}: {problem}")
            else:
                self.interrupted(name)
        except SeedbedError as trouble:  # what ended the block is what must be seen
            problem.add_note(f"Besides, the attempt {self.run_id} could not be closed as it should be: {trouble}")

    def _give_up(self, status: RunStatus, reason: str) -> None:
        with self._ending():
            try:
                self._close_events()
            finally:  # nobody goes on with it, so it must not seem to run, however its log is
                self._end(status, reason)

    @contextlib.contextmanager
    def _ending(self, again: RunStatus | None = None) -> Iterator[None]:
        """Within the block nothing more is logged; where it raises, the run may go on.

        An attempt ends once; one that has ended as `again` may do so again.
        """
        self._require_here()
        with self._lock:
            if self._status.status != again:
                self._require_not_ended()
                self._require_not_taken()
            self._is_ending = True
        try:
            yield
        finally:
            self._is_ending = False

    def _open_events(self) -> EventsLog:
        self._require_running()  # before the lock too: a child may be forked while another thread holds it
        with self._lock:
            self._require_running()
            self._require_not_taken()  # to open a log is to take it from the attempt that has it
            return self._opened_events()

    def _opened_events(self) -> EventsLog:
        if self._events is None:
            path = self.path(EVENTS)
            self._events = EventsLog.open(path, attempt=self.attempt, commit_seconds=self._commit_seconds)
        return self._events

    def _close_events(self) -> None:
        """Seal every point of the tail, also what an earlier call left there. Raises StoreUnavailable."""
        with self._lock:
            if self._events is None and EVENTS_TAIL in names_in(self.folder):
                self._opened_events()
            events, self._events = self._events, None
        if events:
            events.close()

    def _log_heads(self, logs: Mapping[Path, Frames]) -> dict[str, LogHead]:
        for path in logs:
            self._upload(path)
        heads = {path.name: frames.head for path, frames in logs.items()}
        return {name: LogHead(sequence=head[0], digest=head[1]) for name, head in heads.items() if head[0]}

    def _points(self, logs: Mapping[Path, Frames]) -> list[tuple[int, int]]:
        """The attempt and step of every point that was logged; of a first attempt nobody needs them."""
        found = logs.get(self.path(EVENTS)) if self.attempt > 1 else None
        entries = () if found is None else found.entries
        events = (event for entry in entries for event in events_of(entry.kind, entry.payload))
        return [(event.attempt, event.step) for event in events]

    def _upload(self, log: Path) -> None:
        """Copy a log from the local folder into the store, if the store is remote."""
        if self._is_remote:
            self._files.replace(f"{self._key}/{log.name}", read_regular(log))

    def _end(self, status: RunStatus, reason: str, commit: Commit | None = None) -> None:
        """End the attempt. A `commit` says so too: then the status need be neither durable nor written."""
        with self._lock:
            ended = self._status.ended(status, reason, self._clock.now())
            write = partial(self._write_status, ended, durable=commit is None)
            if commit:
                self._tried(commit, write, "the commit says that it finished")
            else:
                write()
            self._status = ended
        self._close_journals()

    def _close_journals(self) -> None:
        for journal in self._journals.values():
            journal.close()

    def _write_status(self, status: Status, *, durable: bool) -> None:
        self._sent_status = status
        write_status(self._files, self._key, status, durable=durable)
        self._status = status

    def _require_running(self) -> None:
        self._require_here()
        self._require_not_ended()
        if self._is_ending:
            raise Conflict(
                f"{self.run_id}:{self.stage} is about to end and takes nothing more; let every thread that logs end "
                "before the run does"
            )

    def _require_here(self) -> None:
        self._owner.require_here(f"{self.run_id}:{self.stage}")

    def _require_not_ended(self) -> None:
        if self._status.status != RunStatus.RUNNING:
            raise Conflict(
                self._lost
                or f"{self.run_id}:{self.stage} has ended as {self._status.status}; start another attempt or run"
            )

    def _require_not_taken(self) -> None:
        """Leave the run's files alone, and raise Conflict, once another has ended this attempt or begun the next.

        Two writers must not share a log. A status that cannot be read says nothing.
        """
        taken = ""
        with contextlib.suppress(StoreUnavailable):
            taken = self._taken()
        if not taken:
            return
        self._lost = (
            f"attempt {self.attempt} of {self.run_id}:{self.stage} belongs to this process no more: the store has "
            f"{taken}; nothing more is written; start another attempt or run"
        )
        self._status = self._status.model_copy(update={"status": RunStatus.INTERRUPTED})
        if self._events:
            self._events.abandon()
            self._events = None
        self._close_journals()
        raise Conflict(self._lost)

    def _taken(self) -> str:
        """By what another has ended this attempt or begun the next, in words; empty when nobody has."""
        if is_claimed(self._files, self._key, self.attempt + 1):
            return f"attempt {self.attempt + 1}"
        found = last_written(self._files, self._key)
        if found is None or found == self._sent_status or found.attempt < self.attempt:
            return ""
        if found.attempt > self.attempt:  # `Store.start` may leave out a number
            return f"attempt {found.attempt}"
        return "" if found.status == RunStatus.RUNNING else f"attempt {self.attempt} as {found.status}"

    def _require_own(self, draft: SnapshotDraft) -> None:
        own = (self.project, self.run_id, self.stage, self.attempt)
        found = (draft.project, draft.run_id, draft.stage, draft.attempt)
        if found != own:
            raise InvalidInput(
                f"the draft belongs to {':'.join(map(str, found))}, but this run is {':'.join(map(str, own))}"
            )
