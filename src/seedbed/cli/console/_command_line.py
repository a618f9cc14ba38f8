"""A `seedbed` command line that a person can copy."""

import os
import shlex

from seedbed.cli.console._options import DEFAULT_STORE

__all__ = ["command"]


def command(store: str, *words: str) -> str:
    """`seedbed` with `words`, and with `--store` where a new shell would not find the store."""
    known = store == DEFAULT_STORE or os.environ.get("SEEDBED_STORE") == store
    return shlex.join(["seedbed", *words, *(() if known else ("--store", store))])
