"""Whether events of one kind of node seem to be contacts, which have no direction."""

import polars as pl

__all__ = ["why_directed"]

_MUCH = 0.5  # of the ids, and of the pairs that met more than once


def why_directed(src: pl.Series, dst: pl.Series) -> str:
    """One sentence that asks for `undirected`, or says why nothing asks for it.

    A contact that is written in any order stands in both directions soon: of the pairs that met twice, half do so.
    """
    ends = pl.DataFrame({"a": src.cast(pl.String), "b": dst.cast(pl.String)}).drop_nulls().filter(pl.col.a != pl.col.b)
    shared, ids = len(set(ends["a"]) & set(ends["b"])), len(set(ends["a"]) | set(ends["b"]))
    pairs = ends.group_by(pl.min_horizontal("a", "b").alias("low"), pl.max_horizontal("a", "b").alias("high")).agg(
        pl.len().alias("met"), (pl.col.a < pl.col.b).n_unique().alias("directions")
    )
    repeated = pairs.filter(pl.col.met > 1)
    both = int((repeated["directions"] > 1).sum())
    counts = (
        f"{both:,} of {len(repeated):,} pairs that met more than once did so in both directions, and {shared:,} of "
        f"{ids:,} ids are at both ends"
    )
    if both and both >= _MUCH * len(repeated) and shared >= _MUCH * ids:
        return f"undirected false, but check it: {counts}; set it to true if neither end acts on the other"
    return f"undirected false: {counts}; only if an event is a contact without a direction, set it to true"
