"""Watches which kernels a run's steps really ran: a few through the profiler, the rest for next to nothing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, NamedTuple, final

import torch

from seedbed.contracts import AuditRun, Feature, RuntimeMode
from seedbed.runtime._audit import make_audit
from seedbed.runtime._capability import Capability, shortfalls
from seedbed.runtime._compiler import read_counts, salt_cache, why_eager
from seedbed.runtime._config import ResolvedConfig
from seedbed.runtime._enforce import enforce
from seedbed.runtime._flags import ProcessState, read_flags, read_state
from seedbed.runtime._observe import Step, observe
from seedbed.runtime._profile import Sample, profiler_is_busy, record
from seedbed.runtime._tally import Tally

__all__ = ["Phase", "Witness"]

Phase = Literal["train", "eval"]


class _Key(NamedTuple):
    """Steps with the same key should run the same kernels; the first of each is sampled."""

    phase: Phase
    shape_class: str
    state: ProcessState
    compiled: int

    def __str__(self) -> str:
        return f"{self.phase} {self.shape_class or '-'} {self.state} compiled={self.compiled}"


@final
class Witness:
    """The witness of one run: wrap every step in `step`, and ask for `audit` at the end.

    Not thread-safe: one witness watches the steps of one thread.
    """

    def __init__(
        self,
        resolved: ResolvedConfig,
        capabilities: Mapping[Feature, Capability],
        device: torch.device,
        clock: Callable[[], float],
    ) -> None:
        self._resolved, self._config = resolved, resolved.config
        self._capabilities, self._device, self._clock = capabilities, device, clock
        self._compiles = capabilities[Feature.CDC].selected
        self._counts = self._accounted = read_counts()
        self._flags = read_flags()
        self._sampled_keys: set[_Key] = set()
        self._warm: set[tuple[Phase, str, bool]] = set()
        self._unsampled = 0
        self._tally = self._begin(Tally())

    @contextmanager
    def step(self, step: int, phase: Phase = "train", shape_class: str = "") -> Iterator[None]:
        """Wrap one training or evaluation step, number `step`; `shape_class` names steps of like shapes.

        The first step of every key and then one in `sample_every` run under the profiler. Raises ContractBroken in
        STRICT at the end of a sampled step that should have shown a selected feature and did not; in COMPAT warns
        RuntimeDegraded once for each reason. An error of the step's own passes through unjudged.
        """
        self._tally.steps += 1
        key = _Key(phase, shape_class, read_state(self._device.type), sum(read_counts()))
        if not self._is_due(key, step):
            self._unsampled += 1
            yield
            return
        with record(self._clock, detailed=self._wants_detail(key)) as recording:
            yield
        self._tally.seconds += recording.seconds
        if sum(read_counts()) == key.compiled:  # a step that compiled recorded the compiler's own tracing: no evidence
            self._sampled_keys.add(key)
            self._unsampled = 0
            self._take(recording.sample, key, step)

    def evidence(self, wall_seconds: float) -> AuditRun:
        """The ledger as it stands, for a run of `wall_seconds`; enforces nothing, so it serves a stopped run too."""
        self._account_compiles()
        return make_audit(self._resolved, self._capabilities, self._device, self._tally, wall_seconds)

    def audit(self, wall_seconds: float) -> AuditRun:
        """The ledger of a finished run of `wall_seconds`.

        Raises ContractBroken in STRICT when a selected feature was never observed; in COMPAT warns RuntimeDegraded.
        """
        never = [
            feature
            for feature, capability in self._capabilities.items()
            if capability.selected and self._tally.observed(feature) is None
        ]
        if never:
            self._lose([f"{' and '.join(never)} requested and never observed: {self._why_never()}"], "at the end")
        return self.evidence(wall_seconds)

    def state(self) -> dict[str, object]:
        """What was counted so far, as JSON values, for a checkpoint."""
        self._account_compiles()
        return self._tally.state()

    def load_state(self, state: Mapping[str, object]) -> None:
        """Go on counting from `state`. Every key is sampled anew: a new process proves itself. Raises InvalidInput."""
        self._tally = self._begin(Tally.load(state))

    def _begin(self, tally: Tally) -> Tally:
        for reason in shortfalls(self._capabilities):
            tally.add_reason(reason)
        return tally

    def _is_due(self, key: _Key, step: int) -> bool:
        if key.state.flags != self._flags:
            self._note_flags(key, step)
        if key in self._sampled_keys and self._unsampled + 1 < self._config.sample_every:
            return False
        site = (key.phase, key.shape_class, key.state.grad)
        if self._compiles and site not in self._warm:
            self._warm.add(site)  # its first step is expected to compile, and would be recorded for nothing
            return False
        if profiler_is_busy():
            self._tally.add_incident("another profiler was running, so steps went unsampled")
            return False
        return True

    def _wants_detail(self, key: _Key) -> bool:
        """Types and causes go with the key, so later samples only count names, unless AMP, all types, is at stake."""
        return key not in self._sampled_keys or self._capabilities[Feature.AMP].selected or bool(self._tally.reasons)

    def _note_flags(self, key: _Key, step: int) -> None:
        self._tally.add_incident(f"attention's switches changed before step {step}: {self._flags} to {key.state.flags}")
        self._flags = key.state.flags
        if self._compiles:
            salt_cache()

    def _account_compiles(self) -> None:
        now = read_counts()
        self._tally.kernels[Feature.CDC].update(now.since(self._accounted).named())
        self._accounted = now

    def _take(self, sample: Sample, key: _Key, step: int) -> None:
        self._tally.samples[str(key)] += 1
        counts = read_counts()
        taken = Step(sample, read_flags(), counts.since(self._counts), counts, key.phase == "train", why_eager())
        lost: dict[str, list[Feature]] = {}
        for feature, capability in self._capabilities.items():
            seen = observe(feature, taken, self._config.amp_dtype)
            self._tally.count(feature, seen)
            if capability.selected and seen.shown is False:
                lost.setdefault(seen.reason, []).append(feature)
        self._lose(
            [f"{' and '.join(features)} requested and not observed: {reason}" for reason, features in lost.items()],
            f"at {key.phase} step {step}",
        )

    def _lose(self, reasons: list[str], where: str) -> None:
        """Note the reasons and act on them: STRICT stops at any, COMPAT warns of those that are new."""
        new = [reason for reason in reasons if self._tally.add_reason(reason)]
        enforce(self._config.mode, reasons if self._config.mode is RuntimeMode.STRICT else new, where)

    def _why_never(self) -> str:
        sampled = sum(self._tally.samples.values())
        if not sampled:
            return (
                f"none of the {self._tally.steps} steps was sampled (one that compiles is no evidence: run more steps)"
            )
        return f"none of {sampled} sampled steps did any work of its kind (declare it off if the model has none)"
