"""What was asked of `demo` or `train`, and the same said as a command again."""

import os
import shlex
from dataclasses import dataclass
from typing import final

from seedbed.cli._options import DEFAULT_STORE

__all__ = ["Request", "command"]


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


def command(store: str, *words: str) -> str:
    """`seedbed` with `words`, naming the store where a new shell would not find it by itself."""
    known = store == DEFAULT_STORE or os.environ.get("SEEDBED_STORE") == store
    return shlex.join(["seedbed", *words, *(() if known else ("--store", store))])
