"""The arguments of `demo` or `train`, and the command line that repeats them."""

from dataclasses import dataclass
from typing import final

from seedbed.cli.console._command_line import command

__all__ = ["Request"]


@final
@dataclass(frozen=True)
class Request:
    """The command's own words (`demo`, or `train EVENTS --config FILE`) and the options of any training.

    None means that an option was not given.
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
        """A command line for the same job, with `words` added, without `--inject` and `--resume`."""
        options = {
            "--mode": self.mode,
            "--events": self.events,
            "--epochs": self.epochs,
            "--seed": self.seed,
            "--threads": self.threads,
        }
        given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
        if self.open_report is not None:
            given.append("--open" if self.open_report else "--no-open")
        return command(self.store, *self.words, *given, *(["--json"] if self.as_json else []), *words)
