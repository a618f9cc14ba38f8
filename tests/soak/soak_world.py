"""Small soaks for tests: run, finished, copied."""

import shutil
from itertools import count

from seedbed.dashboard import soak_drawing
from seedbed.soak import Soak, SoakFolder, SoakPlan, assemble, finish


class Silent:
    """An observer that does nothing."""

    def iterated(self, progress):
        pass

    def noted(self, text):
        pass


def small_plan(soak_id="a", **fields):
    common = {"soak_id": soak_id, "plant": "mock", "tuner": "rules", "iterations": 9, "profile": "quick", "seed": 1}
    return SoakPlan.model_validate(common | fields)


def go_on(folder, *, stop=lambda: False, time_is_up=lambda: False):
    """Run a new or interrupted soak; whether it reached its end."""
    soak = Soak(folder, assemble(folder.plan()), Silent())
    try:
        return soak.run(stop, time_is_up)
    finally:
        soak.close()


def after(num_iterations):
    """A condition that is false for that many calls, then true."""
    calls = count()
    return lambda: next(calls) >= num_iterations


def finished(root, plan, *, time_is_up=lambda: False):
    folder = SoakFolder.create(root, plan)
    go_on(folder, time_is_up=time_is_up)
    finish(folder, assemble, drawing=soak_drawing())
    return folder


def copied(folder, root):
    shutil.copytree(folder.path, root / folder.path.name)
    return SoakFolder(root / folder.path.name)
