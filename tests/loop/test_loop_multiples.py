"""Which calls of a checkpoint with `every` write: the first at or after each multiple, wherever they stand."""

from pathlib import Path

import pytest

from seedbed.loop.live._multiples import Multiples

LAST, BEST = Path("last.ckpt"), Path("best.ckpt")
EPOCH = 16


def calls_of(place, num, skips):
    """The steps that are done at each call of a loop of `num` iterations, with the number of the iteration."""
    done = 0
    for iteration in range(1, num + 1):
        if place == "top":
            yield done, iteration
        if skips and iteration % 3 == 0:
            continue
        if place == "before the step":
            yield done, iteration
        done += 1
        if place == "end":
            yield done, iteration
        if place == "epoch" and iteration % EPOCH == 0:
            yield done, iteration


@pytest.mark.parametrize("begun", [0, 8])
@pytest.mark.parametrize("every", [1, 4, 5])
@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("place", ["top", "before the step", "end", "epoch"])
@pytest.mark.parametrize("name", ["last.ckpt", "step{}.ckpt"])
def test_the_first_call_at_or_after_each_multiple_is_due(place, skips, every, begun, name):
    multiples, written = Multiples(), []
    multiples.begin(begun)
    calls = [(begun + done, iteration) for done, iteration in calls_of(place, 3 * EPOCH, skips)]
    for done, iteration in calls:
        path = Path(name.format(done))
        if multiples.is_due(path, every, done, iteration):
            multiples.wrote(path, every, done, iteration)
            written.append(done)
    before = [begun, *(done for done, _ in calls)]
    assert written == [now for then, (now, _) in zip(before, calls, strict=False) if now // every > then // every]


def test_two_files_with_one_number_are_both_written_also_where_they_stand_in_different_places():
    multiples, written = Multiples(), []

    def call(path, done, iteration):
        if multiples.is_due(path, 4, done, iteration):
            multiples.wrote(path, 4, done, iteration)
            written.append((path.name, done))

    for iteration in range(1, 10):
        call(BEST, iteration - 1, iteration)  # at the top of the body
        call(LAST, iteration, iteration)
        call(Path(f"step{iteration}.ckpt"), iteration, iteration)
    four = [("last.ckpt", 4), ("step4.ckpt", 4), ("best.ckpt", 4)]
    assert written == [*four, *[(name.replace("4", "8"), 8) for name, _ in four]]


def test_a_write_that_fails_is_due_again_at_the_next_call():
    multiples = Multiples()
    assert not multiples.is_due(LAST, 4, 3, 3)
    assert multiples.is_due(LAST, 4, 4, 4)
    assert multiples.is_due(LAST, 4, 5, 5)  # nothing was written
    multiples.wrote(LAST, 4, 5, 5)
    assert not multiples.is_due(LAST, 4, 6, 6)
    assert multiples.is_due(LAST, 4, 8, 8)
