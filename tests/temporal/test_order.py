"""The sort of events by owner is the one that numpy's slower sort gives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seedbed.temporal._order import by_owner

PAIRS = st.lists(st.tuples(st.integers(0, 2**31 - 1) | st.integers(0, 3), st.integers(0, 5)))


@given(PAIRS)
def test_rows_are_in_the_order_of_owner_and_event_and_stable(pairs):
    owner, event = np.array(pairs, np.int64).reshape(-1, 2).T
    assert by_owner(owner, event).tolist() == np.lexsort((event, owner)).tolist()
