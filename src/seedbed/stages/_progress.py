"""What a checkpoint of a training keeps besides its live objects."""

from seedbed.change import StallState
from seedbed.contracts import Message

__all__ = ["TrainingProgress"]


class TrainingProgress(Message):
    """The progress of a training.

    `epoch_loss` is the sum of the running epoch's loss over its events, `losses` holds the mean of every finished
    epoch, and `validation` the (step, AP) of every validation.
    """

    schema_version: int = 2
    last_loss: float | None = None
    epoch_loss: float = 0.0
    losses: tuple[float, ...] = ()
    validation: tuple[tuple[int, float], ...] = ()
    stall: StallState = StallState()
