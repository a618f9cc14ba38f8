"""What holds for every test, and a record that several rooms show."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

# A deadline for one example fails on a machine that does other work; speed is measured in benchmarks/. With CI set, as
# in .ci/run, the examples are always the same, so that a commit gets one answer; `make test` looks for new ones.
settings.register_profile("seedbed", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("seedbed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slow tests, the trainings and soaks before all, so that no worker waits for one at the end."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [*reversed(slow), *(item for item in items if not item.get_closest_marker("slow"))]


def pytest_collection_finish() -> None:
    """Put aside what the imports made: searches through all objects, for schedulers say, need not look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_witness_is_left() -> Iterator[None]:
    """No test leaves a witness that watches torch's profilers: one that was dropped in a cycle of objects ends here."""
    yield
    recorder = getattr(sys.modules.get("seedbed.runtime._recorder"), "RECORDER", None)  # a test may not need torch
    if recorder is not None and recorder._others._attached:
        gc.collect()
        assert recorder._others._attached == 0, "a test left a run open or a witness attached"


@pytest.fixture(params=[False, True], ids=["seen", "hidden"])
def hide(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Called in a test, it hides all objects from the collector in one of two cases; none is hidden before."""
    gc.unfreeze()
    yield gc.freeze if request.param else lambda: None
    gc.unfreeze()
    pytest_collection_finish()


@pytest.fixture
def foreign_metrics() -> dict[str, Any]:
    """Metrics of every form that a record can hold, as no stage of this project records them."""
    return {
        "test": {
            "accuracy": {"value": 0.6125, "low": 0.5625, "high": 0.6875, "n": 311, "confidence": 0.9},
            "by_class": {"cat": 0.3125, "dog": 0.4375},
            "confusion": [[5, 2], [1, 7]],
        },
        "perplexity": 17.25,
        "train": {"loss": [2.5, 1.25, 0.625]},
        "kept": True,
        "note": "early",
        "nothing": None,
        "empty": {},
        "curve": [float(place * place) for place in range(50)],
    }
