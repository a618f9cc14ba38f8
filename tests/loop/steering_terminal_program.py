"""A training in a terminal of its own: it saves every fifth step, and goes on until it is asked to stop."""

import sys
import time

from steering_world import Training

from seedbed.records import Store


def main() -> None:
    where = sys.argv[1]
    training = Training(Store.open(where, create=True), every_seconds=0.1, in_background="://" in where)
    training.on_pause = lambda: time.sleep(0.1)
    while not training.stops:
        training.take_step()
        if training.step % 5 == 0:
            training.checkpoint()
        time.sleep(0.02)  # the work of a step
        training.look()
        training.run.beat()
    training.finish()


if __name__ == "__main__":
    main()
