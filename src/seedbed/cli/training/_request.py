"""What was asked of `demo` or `train`, and the same said as a command again."""

from dataclasses import dataclass
from typing import final

from seedbed.cli.console._command_line import command

__all__ = ["Request"]


@final
@dataclass(frozen=True)
class Request:
    """The command's own words (`demo`, or `train EVENTS --config FILE`) and the options of any training.

    None stands for what was not given.
    """

    words: tuple[str, ...]
    mode: str | None
    inject: str | None
    resume: str | None
    events: int | None
    epochs: int | None
    seed: int | None
    threads: int | None
    open_report: bool | None
    store: str
    as_json: bool

    def again(self, *words: str) -> str:
        """The same job as a command to type, with `words` added; without its fault and without `--resume`."""
        options = {
            "--mode": self.mode,
            "--events": self.events,
            "--epochs": self.epochs,
            "--seed": self.seed,
            "--threads": self.threads,
        }
        given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
        return command(self.store, *self.words, *given, *words)
