"""Pushes metrics to a Pushgateway, and deletes them in the end, since the gateway never does."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import final

from prometheus_client import delete_from_gateway, push_to_gateway

from seedbed.errors import StoreUnavailable
from seedbed.gate.export._exposition import MetricFamily, registry_of

__all__ = ["PushTarget", "pushing"]

_TIMEOUT_SECONDS = 5.0


@final
@dataclass(frozen=True)
class PushTarget:
    """A group of metrics on a Pushgateway: its address, such as `http://127.0.0.1:9091`, and the job and run."""

    gateway: str
    job: str
    run_id: str

    def push(self, families: Iterable[MetricFamily]) -> None:
        """Replace the group's metrics by `families`. Raises StoreUnavailable when that fails."""
        registry = registry_of(lambda: families)
        self._try(lambda: push_to_gateway(self.gateway, self.job, registry, self._key, timeout=_TIMEOUT_SECONDS))

    def delete(self) -> None:
        """Delete the group. Raises StoreUnavailable when that fails."""
        self._try(lambda: delete_from_gateway(self.gateway, self.job, self._key, timeout=_TIMEOUT_SECONDS))

    @property
    def _key(self) -> dict[str, str]:
        return {"run_id": self.run_id}

    def _try(self, send: Callable[[], None]) -> None:
        try:
            send()
        except (OSError, HTTPException) as problem:
            raise StoreUnavailable(
                f"the Pushgateway at {self.gateway} did not take the metrics of {self.job}, {self.run_id}: {problem}; "
                "start it, or name another one"
            ) from None


@contextmanager
def pushing(target: PushTarget, first: Iterable[MetricFamily]) -> Iterator[PushTarget]:
    """Push `first` and yield the target for more; delete the group when the block ends cleanly.

    After an error the last metrics stay, so that the cause of an alert can be looked at. Raises StoreUnavailable when
    the gateway cannot be reached at the beginning or the end.
    """
    target.push(first)
    yield target
    target.delete()
