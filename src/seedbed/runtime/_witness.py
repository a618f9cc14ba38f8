"""A witness of the kernels that a run's steps really ran: it profiles a few steps, and compares flags at the others."""

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
from seedbed.runtime._observe import SampledStep, observe
from seedbed.runtime._profile import Sample, profiler_is_busy, record
from seedbed.runtime._tally import Tally

__all__ = ["StepPhase", "Witness"]

StepPhase = Literal["train", "eval"]


class _StepKey(NamedTuple):
    """The kind of a step. Steps with the same key should run the same kernels; the first of each key is sampled."""

    phase: StepPhase
    shape_class: str
    state: ProcessState
    compiled: int

    def __str__(self) -> str:
        return f"{self.phase} {self.shape_class or '-'} {self.state} compiled={self.compiled}"


@final
class Witness:
    """The witness of one run: wrap every step in `step`, and call `audit` at the end.

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
        self._first_counts = self._recorded_counts = read_counts()
        self._flags = read_flags()
        self._sampled_keys: set[_StepKey] = set()
        self._started_sites: set[tuple[StepPhase, str, bool]] = set()
        self._unsampled = 0
        self._tally = self._with_shortfalls(Tally())

    @contextmanager
    def step(self, step: int, phase: StepPhase = "train", shape_class: str = "") -> Iterator[None]:
        """Wrap one training or evaluation step, number `step`; `shape_class` names a group of steps of similar shapes.

        The first step of each key, and then one in `sample_every`, runs under the profiler. When a sampled step should
        have shown a selected feature and did not, STRICT raises ContractBroken at its end, and COMPAT warns
        RuntimeDegraded once for each reason. When the step itself raises an error, it passes through and nothing is
        judged.
        """
        self._tally.steps += 1
        key = _StepKey(phase, shape_class, read_state(self._device.type), sum(read_counts()))
        if not self._is_due(key, step):
            self._unsampled += 1
            yield
            return
        with record(self._clock, detailed=self._wants_detail(key)) as recording:
            yield
        self._tally.seconds += recording.seconds
        # A step that compiles records the compiler's own tracing, which proves nothing.
        if sum(read_counts()) == key.compiled:
            self._sampled_keys.add(key)
            self._unsampled = 0
            self._judge(recording.sample, key, step)

    def evidence(self, wall_seconds: float) -> AuditRun:
        """The ledger so far, for a run of `wall_seconds`. It enforces nothing, so a stopped run can use it too."""
        self._record_compiles()
        return make_audit(self._resolved, self._capabilities, self._device, self._tally, wall_seconds)

    def audit(self, wall_seconds: float) -> AuditRun:
        """The ledger of a finished run of `wall_seconds`.

        When a selected feature was never observed, STRICT raises ContractBroken and COMPAT warns RuntimeDegraded.
        """
        never = [
            feature
            for feature, capability in self._capabilities.items()
            if capability.selected and self._tally.observed(feature) is None
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

    def _is_due(self, key: _StepKey, step: int) -> bool:
        if key.state.flags != self._flags:
            self._note_changed_flags(key, step)
        if key in self._sampled_keys and self._unsampled + 1 < self._config.sample_every:
            return False
        site = (key.phase, key.shape_class, key.state.grad)
        if self._compiles and site not in self._started_sites:
            self._started_sites.add(site)  # its first step probably compiles, and a record of it would prove nothing
            return False
        if profiler_is_busy():
            self._tally.add_incident("another profiler was running, so steps were not sampled")
            return False
        return True

    def _wants_detail(self, key: _StepKey) -> bool:
        """Whether to record types and arguments: they are the same for a key, so once is enough, except for AMP."""
        return key not in self._sampled_keys or self._capabilities[Feature.AMP].selected or bool(self._tally.reasons)

    def _note_changed_flags(self, key: _StepKey, step: int) -> None:
        self._tally.add_incident(f"attention's switches changed before step {step}: {self._flags} to {key.state.flags}")
        self._flags = key.state.flags
        if self._compiles:
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
            seen = observe(feature, sampled, self._config.amp_dtype)
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
