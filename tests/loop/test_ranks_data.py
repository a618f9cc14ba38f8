"""The data of several real processes after a resume: each rank goes on in its own order, or the record says unknown."""

import pytest
from ranks_world import Processes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    with Processes(tmp_path_factory.mktemp("ranks"), "own data", "data of rank 0") as processes:
        yield processes


def test_each_rank_that_is_given_its_own_state_gets_its_own_data(trained):
    first, second = trained.told("own data")
    assert first["whole"] != second["whole"]
    for told in (first, second):
        assert told["again"] == told["whole"]
    assert (first["data_order"], first["resume"]) == ("known", "known")


def test_ranks_that_are_given_the_state_of_rank_0_stay_in_step_and_no_order_is_said_to_be_known(trained):
    first, second = trained.told("data of rank 0")
    assert first["again"] == first["whole"]
    assert len(second["again"]) == len(second["whole"])
    assert second["again"] != first["again"]  # not the data of rank 0
    assert first["data_order"] == "unknown: rank 1: the checkpoint keeps the order of data of other processes"
    assert first["resume"] == "unknown: rank 1: the checkpoint keeps the random numbers of other processes"
