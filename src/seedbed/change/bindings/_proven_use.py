"""What the watches on settings of an optimizer share: the proof of a use, and the reports of it."""

from collections.abc import Callable, Sequence
from typing import Protocol, final

from torch.optim import Optimizer

from seedbed.change.bindings._binding import Use, UseReport
from seedbed.change.bindings._step_watch import StepWatch
from seedbed.change.bindings.proof._finding import Match, UpdateFinding
from seedbed.change.bindings.proof._update_proof import Former, proof_of

__all__ = ["ProvenUse", "SettingLook", "added_group", "other_optimizer"]


class SettingLook(Protocol):
    """What is looked at around a step, with the step's number since the watch began."""

    def before(self, step: int) -> None:
        """The gradients of the step are there."""

    def after(self, step: int) -> None:
        """The step has ended."""

    def elsewhere(self, other: Optimizer, step: int) -> None:
        """Another optimizer steps the same weights instead."""


@final
class ProvenUse:
    """Compares one step after another until one proves the use of a setting, and reports what they show.

    A use is reported once, a reason why it is open when it differs from the last one, and a loss ends the watch.
    """

    def __init__(self, optimizer: Optimizer, key: str, look: SettingLook, report: Callable[[UseReport], None]) -> None:
        self.is_seen = self.is_ended = False
        self._report = report
        self._why_open = ""
        self._proof = proof_of(optimizer, key)
        self._steps = StepWatch(
            optimizer, look.before, look.after, self._proof.evaluated, look.elsewhere, entered=self._enter
        )

    def end(self) -> None:
        """End the watch."""
        self.is_ended = True
        self._steps.end()

    def _enter(self) -> None:
        if not self.is_seen:
            self._proof.enter()

    def begin(self, places: Sequence[int], put_former: Former) -> None:
        """A step begins, and the setting stands in the groups at these places."""
        if not self.is_seen:
            self._proof.begin(places, put_former)

    def finish(self, step: int, value: float, rewritten: str | None) -> UpdateFinding | None:
        """The step has ended: what its update shows. None when the use is seen already, or the value was rewritten.

        `rewritten` is why the use is open since something rewrote the value, which is reported; None if nothing did.
        """
        if self.is_seen:
            return None
        if rewritten is not None:
            self.tell(step, value, UpdateFinding(Match.OPEN, rewritten))
            return None
        return self._proof.finish()

    def tell(self, step: int, value: float, finding: UpdateFinding) -> None:
        """Report that the step used this value, or why nobody can tell."""
        if finding.match is Match.NEW:
            self.is_seen = True
            self._steps.proven()
            self._report(UseReport(step, value, value, Use.USED))
        elif finding.why != self._why_open:
            self._why_open = finding.why
            self._report(UseReport(step, value, value, Use.OPEN, finding.why))

    def lose(self, step: int, expected: float, found: float, why: str) -> None:
        """Report a loss, and end the watch."""
        self.end()
        self._report(UseReport(step, expected, found, Use.LOST, why))


def added_group(place: int, key: str) -> str:
    """Why a change is lost when a group was added with the optimizer's default."""
    return (
        f"group {place} was added after the change and runs with the optimizer's default, which the change did not "
        f"reach: give add_param_group {key}"
    )


def other_optimizer(other: Optimizer) -> str:
    """Why a change is lost when others step the weights; whether they were built before or after it is not known."""
    return (
        f"another optimizer, {type(other).__name__}, steps these weights with a value that the change did not reach, "
        "and two such steps came without one of the bound optimizer between them: bind it, and make the change in it"
    )
