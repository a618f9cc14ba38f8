"""A witness of the kernels that a run's steps really ran: it profiles a few steps, and compares flags at the others."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Literal, NamedTuple, final

import torch

from seedbed.contracts import AuditRun, Feature, RuntimeMode
from seedbed.runtime._audit import make_audit
from seedbed.runtime._capability import Capability, shortfalls
from seedbed.runtime._compiler import (
    cache_is_salted,
    dynamo_counters,
    is_compiling_elsewhere,
    read_counts,
    salt_cache,
    why_eager,
)
from seedbed.runtime._config import ResolvedConfig
from seedbed.runtime._enforce import enforce
from seedbed.runtime._flags import ProcessState, read_flags, read_state, switches
from seedbed.runtime._observe import SampledStep, observe
from seedbed.runtime._recorder import RECORDER, TURN, Recording
from seedbed.runtime._sample import Sample
from seedbed.runtime._tally import Tally

__all__ = ["StepBlock", "StepPhase", "Witness"]

StepPhase = Literal["train", "eval"]
_PATIENCE = 2.0  # seconds that a step waits for another thread's, where it is the first of its key or each is sampled
_LOWER_TYPES = frozenset({"bfloat16", "float16"})  # what somebody's own autocast may have been set to


class _StepKey(NamedTuple):
    """The kind of a step. Steps with the same key should run the same kernels; the first of each key is sampled."""

    phase: StepPhase
    shape_class: str
    state: ProcessState
    compiled: int

    def __str__(self) -> str:
        return f"{self.phase} {self.shape_class or '-'} {self.state} compiled={self.compiled}"


@final
class StepBlock:
    """One step under a witness: for `with`, or opened by `Witness.open_step` and closed by `close`."""

    __slots__ = ("_key", "_phase", "_recording", "_shape_class", "_step", "_witness")

    def __init__(self, witness: "Witness", step: int, phase: StepPhase, shape_class: str) -> None:
        self._witness, self._step, self._phase, self._shape_class = witness, step, phase, shape_class
        self._key: _StepKey | None = None
        self._recording: Recording | None = None

    def __enter__(self) -> "StepBlock":
        self._key, self._recording = self._witness._begin(self._step, self._phase, self._shape_class)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close(error)

    def close(self, error: BaseException | None = None) -> None:
        """End the step, and judge it unless it ended by `error`. Closing twice is harmless.

        Close it in the thread that opened it; elsewhere what it recorded is lost. Raises as `Witness.step` does.
        """
        recording, self._recording = self._recording, None
        if recording is not None and self._key is not None:
            self._witness._end(recording, (self._key, self._step) if error is None else None)


@final
class Witness:
    """The witness of one run: wrap every step in `step`, and call `audit` at the end.

    Not thread-safe: one witness watches the steps of one thread. Witnesses of several threads share one recorder.
    """

    def __init__(
        self,
        resolved: ResolvedConfig,
        capabilities: Mapping[Feature, Capability],
        device: torch.device,
        clock: Callable[[], float],
        demanded: Collection[Feature] = frozenset(),
    ) -> None:
        """`demanded` names the features whose tool in the contract was used; it may grow while the run goes on."""
        self._resolved, self._config = resolved, resolved.config
        self._capabilities, self._device, self._clock = capabilities, device, clock
        self._compiles = capabilities[Feature.CDC].selected
        self._first_counts = self._recorded_counts = read_counts()
        self._flags = read_flags()
        self._sampled_keys: set[_StepKey] = set()
        self._started_sites: set[tuple[StepPhase, str, bool]] = set()
        self._unsampled = 0
        self._tally = self._with_shortfalls(Tally())
        self._demanded = demanded
        self._open: set[Recording] = set()
        self._waiting: Counter[_StepKey] = Counter()
        self._patience = _PATIENCE
        self._let_go: Callable[[], object] | None = None
        self._keys: dict[tuple[object, ...], _StepKey] = {}
        self._counters, self._every, self._device_type = dynamo_counters(), resolved.config.sample_every, device.type
        self._settled: tuple[object, ...] = ()  # the last kind of step that was seen to need no recording yet

    def step(self, step: int, phase: StepPhase = "train", shape_class: str = "") -> StepBlock:
        """Wrap one training or evaluation step, number `step`; `shape_class` names a group of steps of similar shapes.

        The first step of each key, and then one in `sample_every`, runs under the profiler; while it cannot, because
        another profiler or another thread's step does, the next step is tried. What a step inside this one runs is not
        counted as this one's. When a sampled step should have shown a selected feature and did not, STRICT raises
        ContractBroken at its end, and COMPAT warns RuntimeDegraded once for each reason. When the step itself raises an
        error, it passes through and nothing is judged.
        """
        return StepBlock(self, step, phase, shape_class)

    def open_step(self, step: int, phase: StepPhase = "train", shape_class: str = "") -> StepBlock:
        """Open a step as `step` does, for a loop that cannot wrap it in `with`: call `close` on what is returned."""
        return StepBlock(self, step, phase, shape_class).__enter__()

    def count_step(self, phase: StepPhase = "train", shape_class: str = "") -> bool:
        """Count a step that begins now if it needs no recording, as most do, in a microsecond; else open it."""
        if self._unsampled + 1 >= self._every or RECORDER.blocks:
            return False  # it is due; or a block around it must not record what it runs
        if self._kind(phase, shape_class) != self._settled:
            return False
        self._tally.steps += 1
        self._unsampled += 1
        return True

    def close(self) -> None:
        """Close the steps that were left open, unjudged, and leave torch's profiler alone. Harmless twice."""
        if self._let_go is not None:
            self._let_go()
            self._let_go = None
        self._open.clear()

    def evidence(self, wall_seconds: float) -> AuditRun:
        """The ledger so far, for a run of `wall_seconds`. It enforces nothing, so a stopped run can use it too."""
        self._record_compiles()
        unobserved = [
            f"{key}: unobserved, because {TURN} at each of the {count} steps that were due"
            for key, count in self._waiting.items()
        ]
        return make_audit(self._resolved, self._capabilities, self._device, self._tally, wall_seconds, unobserved)

    def audit(self, wall_seconds: float) -> AuditRun:
        """The ledger of a finished run of `wall_seconds`; closes the witness.

        When a demanded feature was never observed, STRICT raises ContractBroken and COMPAT warns RuntimeDegraded. What
        AUTO requested is demanded only where the contract's own tool for it was used.
        """
        self.close()
        never = [
            feature
            for feature in self._capabilities
            if self._is_demanded(feature) and self._tally.observed(feature) is None
        ]
        if never:
            why = self._why_never_observed()
            self._enforce([f"{' and '.join(never)} requested and never observed: {why}"], "at the end")
        return self.evidence(wall_seconds)

    def state(self) -> dict[str, object]:
        """What was counted so far, as JSON values, for a checkpoint."""
        self._record_compiles()
        return self._tally.state()

    def load_state(self, state: Mapping[str, object]) -> None:
        """Go on counting from `state`. Each key is sampled again: a new process may differ. Raises InvalidInput."""
        self._tally = self._with_shortfalls(Tally.load(state))

    def _with_shortfalls(self, tally: Tally) -> Tally:
        for reason in shortfalls(self._capabilities):
            tally.add_reason(reason)
        return tally

    def _begin(self, step: int, phase: StepPhase, shape_class: str) -> tuple[_StepKey, Recording | None]:
        self._tally.steps += 1
        now = self._kind(phase, shape_class)
        key = self._key_of(now, phase, shape_class)
        wanted = self._is_due(key, step)
        if not wanted:
            self._settled = now if key in self._sampled_keys else ()
            self._unsampled += 1
            if RECORDER.innermost() is None:
                return key, None
        if self._let_go is None:
            self._let_go = RECORDER.attach(self, self._open)
        must = key not in self._sampled_keys or self._config.sample_every == 1
        recording = RECORDER.open(
            self._clock, wanted=wanted, detailed=self._wants_detail(key), patience=self._patience if must else 0.0
        )
        if wanted and recording.unobserved:
            self._unsampled += 1
        self._open.add(recording)
        return key, recording

    def _kind(self, phase: StepPhase, shape_class: str) -> tuple[object, ...]:
        """What is compared at every step."""
        counters = self._counters
        if counters is None:
            counters = self._counters = dynamo_counters()
        return (phase, shape_class, sum(read_counts()) if counters else 0, *switches(self._device_type))

    def _key_of(self, now: tuple[object, ...], phase: StepPhase, shape_class: str) -> _StepKey:
        """The kind of a step that begins now; each is made once, since making one takes longer than all else."""
        key = self._keys.get(now)
        if key is None:
            key = _StepKey(phase, shape_class, read_state(self._device.type), sum(read_counts()))
            self._keys[now] = key
        return key

    def _end(self, recording: Recording, judged: tuple[_StepKey, int] | None) -> None:
        if recording not in self._open:
            return  # `close` ended it
        self._open.discard(recording)
        RECORDER.close(recording)
        self._tally.seconds += recording.seconds
        if judged is None or not recording.wanted:
            return
        key, step = judged
        if recording.unobserved:
            self._note_unobserved(recording.unobserved, key)
        # A step that compiles records the compiler's own tracing, which proves nothing.
        elif sum(read_counts()) == key.compiled and not is_compiling_elsewhere():
            self._sampled_keys.add(key)
            self._waiting.pop(key, None)
            self._unsampled = 0
            self._judge(recording.sample, key, step)

    def _note_unobserved(self, why: str, key: _StepKey) -> None:
        if why == TURN:  # it is only delayed; `evidence` tells of what never came to its turn
            self._patience /= 2  # the other thread's step is long, or waits for this one: in all no more than 4 s
            self._waiting[key] += key not in self._sampled_keys
        else:
            self._tally.add_incident(f"steps went unobserved, because {why}")

    def _is_demanded(self, feature: Feature) -> bool:
        capability = self._capabilities[feature]
        return capability.selected and (not capability.auto or feature in self._demanded)

    def _is_due(self, key: _StepKey, step: int) -> bool:
        if key.state.flags != self._flags:
            self._note_changed_flags(key, step)
        if key in self._sampled_keys and self._unsampled + 1 < self._config.sample_every:
            return False
        site = (key.phase, key.shape_class, key.state.grad)
        if self._compiles and site not in self._started_sites:
            self._started_sites.add(site)  # its first step probably compiles, and a record of it would prove nothing
            return False
        return True

    def _wants_detail(self, key: _StepKey) -> bool:
        """Whether to record types and arguments: they are the same for a key, so once is enough, except for AMP."""
        return key not in self._sampled_keys or self._capabilities[Feature.AMP].selected or bool(self._tally.reasons)

    def _note_changed_flags(self, key: _StepKey, step: int) -> None:
        self._tally.add_incident(f"attention's switches changed before step {step}: {self._flags} to {key.state.flags}")
        self._flags, self._settled = key.state.flags, ()
        if self._compiles and cache_is_salted():
            salt_cache()

    def _record_compiles(self) -> None:
        now = read_counts()
        self._tally.kernels[Feature.CDC].update(now.since(self._recorded_counts).named())
        self._recorded_counts = now

    def _judge(self, sample: Sample, key: _StepKey, step: int) -> None:
        self._tally.samples[str(key)] += 1
        counts = read_counts()
        compiled = counts.since(self._first_counts)
        sampled = SampledStep(sample, read_flags(), compiled, counts, key.phase == "train", why_eager())
        lost: dict[str, list[Feature]] = {}
        for feature, capability in self._capabilities.items():
            free = capability.auto and not self._is_demanded(feature)
            seen = observe(feature, sampled, _LOWER_TYPES if free else {self._config.amp_dtype})
            seen = seen.undemanded() if free else seen
            self._tally.count(feature, seen)
            if capability.selected and seen.shown is False:
                lost.setdefault(seen.reason, []).append(feature)
        self._enforce(
            [f"{' and '.join(features)} requested and not observed: {reason}" for reason, features in lost.items()],
            f"at {key.phase} step {step}",
        )

    def _enforce(self, reasons: list[str], where: str) -> None:
        """Record the reasons and act on them: STRICT stops at any, COMPAT warns of the new ones."""
        new = [reason for reason in reasons if self._tally.add_reason(reason)]
        enforce(self._config.mode, reasons if self._config.mode is RuntimeMode.STRICT else new, where)

    def _why_never_observed(self) -> str:
        sampled = sum(self._tally.samples.values())
        if not sampled:
            return (
                f"none of the {self._tally.steps} steps was sampled (a compiling step is no evidence: run more steps)"
            )
        return f"none of {sampled} sampled steps did work that could show it (declare it off if the model has none)"
