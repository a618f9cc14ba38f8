"""A `seedbed` command, written so that a person can type it."""

import os
import shlex

from seedbed.cli.console._options import DEFAULT_STORE

__all__ = ["command"]


def command(store: str, *words: str) -> str:
    """`seedbed` with `words`, naming the store where a new shell would not find it by itself."""
    known = store == DEFAULT_STORE or os.environ.get("SEEDBED_STORE") == store
    return shlex.join(["seedbed", *words, *(() if known else ("--store", store))])
