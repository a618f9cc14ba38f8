"""Optuna's journal storage under the load of `load.py`: the second peer that `benchmarks/records.py` measures against.

It imports only what requirements-optuna.txt installs, never seedbed. To finalise is what a trial records: 30 settings
and 20 metrics as its attributes, 10 intermediate values, and `tell`. Each is a synced append of its own, under the
journal's lock; there is no way to make many at once. `ask`, which starts a trial, is measured apart, as `start` is for
Seedbed. A point is one intermediate value.
"""

from collections.abc import Set
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from peers.load import NUM_METRICS, NUM_POINTS, NUM_SETTINGS, main, metric, setting

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Study:
    """A study in the journal in `folder`, made when absent."""

    def __init__(self, folder: Path) -> None:
        storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
        self._study = optuna.create_study(storage=storage, study_name="bench", load_if_exists=True)

    def start(self) -> optuna.Trial:
        """Ask for a trial."""
        return self._study.ask()

    def finish(self, run: optuna.Trial, number: int) -> None:
        """Record what a trial has, attribute by attribute, and tell that it is complete."""
        for at in range(NUM_SETTINGS):
            run.set_user_attr(f"setting{at}", setting(number, at))
        for step in range(NUM_POINTS):
            self.log(run, step)
        for at in range(NUM_METRICS):
            run.set_user_attr(f"m{at}", metric(number, at))
        self._study.tell(run, 1 / (1 + number))

    def log(self, run: optuna.Trial, step: int) -> None:
        """Report one intermediate value."""
        run.report(1 / (1 + step), step)

    def name(self, run: optuna.Trial) -> int:
        """The number of the trial."""
        return run.number

    def finished(self) -> Set[int | str]:
        """The numbers of the complete trials."""
        trials = self._study.get_trials(deepcopy=False)
        return {trial.number for trial in trials if trial.state is TrialState.COMPLETE}


if __name__ == "__main__":
    main(Study, "Measure Optuna's journal storage")
