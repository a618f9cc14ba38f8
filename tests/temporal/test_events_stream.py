"""What every EventStream promises, its digest, its head, and the scale learnt from its past."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from seedbed.errors import InvalidInput
from seedbed.temporal import EventStream
from seedbed.temporal._scaler import fit_scaler

NAN = float("nan")


def make() -> EventStream:
    return EventStream(
        src=np.array([0, 1, 0, 2], np.int32),
        dst=np.array([3, 3, 4, 5], np.int32),
        t=np.array([10, 20, 20, 40], np.int64),
        features=np.array([[1, NAN], [3, 5], [5, 5], [100, 5]], np.float32),
        late=np.array([[2], [4], [60], [8]], np.float32),
        known_at=np.array([11, 20, 21, 90], np.int64),
        names=("a", "b", "c", "x", "y", "z"),
        num_sources=3,
        feature_names=("p", "q"),
        late_names=("r",),
        labels=np.array([0, 1, 0, 1], np.float32),
    )


def changed(stream, name, index, value):
    array = getattr(stream, name).copy()
    array[index] = value
    return replace(stream, **{name: array})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: replace(s, src=s.src.astype(np.int64)), r"src: expected int32 \[4\], found int64 \[4\]"),
        (lambda s: replace(s, late=s.late[:3]), r"late: expected float32 \[4, 1\], found float32 \[3, 1\]"),
        (lambda s: replace(s, late=s.late[:, 0]), r"late: expected float32 \[4, 1\], found float32 \[4\]"),
        (lambda s: replace(s, t=s.t.astype(np.float64)), "t: expected int64"),
        (lambda s: replace(s, labels=s.labels[:1]), "labels: expected"),
        (lambda s: replace(s, late_names=("p",)), "name is used twice"),
        (lambda s: changed(s, "t", 2, 15), "t: event 1 is followed by an earlier one"),
        (lambda s: changed(s, "known_at", 3, 39), "known_at: event 3 is before t"),
        (lambda s: changed(s, "src", 1, 3), "src: event 1 is no source id"),
        (lambda s: changed(s, "src", 1, -1), "src: event 1 is no source id"),
        (lambda s: changed(s, "dst", 2, 2), "dst: event 2 is no destination id"),
        (lambda s: changed(s, "dst", 2, 6), "dst: event 2 is no destination id"),
    ],
)
def test_a_malformed_stream_cannot_be_built(change, words):
    with pytest.raises(InvalidInput, match=words):
        change(make())


def test_a_stream_has_an_event():
    arrays = ("src", "dst", "t", "features", "late", "known_at", "labels")
    nothing = {name: getattr(make(), name)[:0] for name in arrays}
    with pytest.raises(InvalidInput, match="at least 1 event"):
        replace(make(), **nothing)


def test_only_a_bipartite_stream_bounds_its_destinations_by_its_sources():
    one_kind = replace(make(), num_sources=6)
    assert not one_kind.bipartite
    changed(one_kind, "dst", 2, 1)


def test_an_undirected_stream_stays_so_and_has_one_kind_of_node():
    stream = replace(make(), num_sources=6, undirected=True)
    assert stream.head(2).undirected
    with pytest.raises(InvalidInput, match="bipartite and undirected"):
        replace(make(), undirected=True)


@pytest.mark.parametrize("field", [field.name for field in fields(EventStream)])
def test_the_digest_sees_every_field(field):
    stream = replace(make(), num_sources=6) if field == "undirected" else make()
    other: dict[str, Any] = {
        "names": ("a", "b", "c", "x", "y", "Z"),
        "num_sources": 6,
        "feature_names": ("p", "Q"),
        "late_names": ("R",),
        "labels": None,
        "known_at": stream.known_at + 1,
        "t": stream.t - 1,
        "src": stream.src[::-1].copy(),
        "dst": stream.dst[::-1].copy(),
        "features": stream.features + 1,
        "late": stream.late + 1,
        "undirected": True,
    }
    assert replace(stream, **{field: other[field]}).digest() != stream.digest()
    assert replace(stream, t=stream.t.copy()).digest() == stream.digest()


def test_the_digest_does_not_depend_on_the_layout_in_memory():
    stream = make()
    assert replace(stream, features=np.asfortranarray(stream.features)).digest() == stream.digest()


def test_head_keeps_the_first_events_and_only_their_nodes():
    head = make().head(3)
    assert head.names == ("a", "b", "x", "y")
    assert head.num_sources == 2
    assert (head.src.tolist(), head.dst.tolist()) == ([0, 1, 0], [2, 2, 3])
    assert head.labels is not None
    assert head.labels.tolist() == [0, 1, 0]
    assert make().head(99).digest() == make().digest()
    assert not replace(make(), num_sources=6).head(2).bipartite
    with pytest.raises(InvalidInput, match="at least 1"):
        make().head(0)


def test_the_scale_comes_from_the_prefix_and_from_what_was_known_at_its_end():
    scaler = fit_scaler(make(), 3)
    assert scaler.mean.tolist() == [3, 5]
    assert scaler.deviation.tolist() == [pytest.approx(np.sqrt(8 / 3)), 1]
    assert scaler.late_mean.tolist() == [3]  # the third event's late value becomes known after the prefix has ended
    assert scaler.late_deviation.tolist() == [1]


def test_the_scale_does_not_change_with_the_future():
    stream = make()
    future = changed(changed(stream, "features", 3, 7), "late", slice(2, 4), -7)
    before, after = fit_scaler(stream, 3), fit_scaler(future, 3)
    for field in fields(before):
        assert np.array_equal(getattr(before, field.name), getattr(after, field.name))


def test_scaling_makes_the_mean_0_and_the_missing_0():
    stream = make()
    scaled = fit_scaler(stream, 3).apply(stream)
    assert scaled.features[:, 1].tolist() == [0, 0, 0, 0]
    assert scaled.features[:3, 0].mean() == pytest.approx(0)
    assert scaled.features[:3, 0].std() == pytest.approx(1)
    assert scaled.late[:, 0].tolist() == [-1, 1, 57, 5]
    assert scaled.t is stream.t


def test_a_late_column_that_nobody_knew_keeps_its_values():
    stream = replace(make(), known_at=make().known_at + 1000)
    assert fit_scaler(stream, 3).apply(stream).late.tolist() == stream.late.tolist()


def test_the_scale_is_refused_outside_the_stream_and_on_another_one():
    stream = make()
    for upto in (0, 5):
        with pytest.raises(InvalidInput, match=r"upto in 1 \.\. 4"):
            fit_scaler(stream, upto)
    narrow = replace(stream, features=stream.features[:, :1], feature_names=("p",))
    with pytest.raises(InvalidInput, match="fit it again"):
        fit_scaler(stream, 3).apply(narrow)
