"""The settings of loaders: the batch size, and the weights of a mixture of datasets."""

from collections.abc import Iterator
from typing import final

from torch.optim import Optimizer
from torch.utils.data import DataLoader

from seedbed.change.bindings._batch_size import BatchSize, ResizableBatchSampler
from seedbed.change.bindings._loader_batches import LoaderBatches
from seedbed.change.bindings._mixture import MixtureSampler, MixtureWeight
from seedbed.errors import InvalidInput
from seedbed.loop.settings._found import BoundSetting, Unbound, key_of_path
from seedbed.loop.settings._limits import Limits
from seedbed.loop.settings._live_objects import LiveObjects
from seedbed.loop.settings._pass_length import PassLength
from seedbed.loop.settings._replaceable import LoaderSetting

__all__ = ["LoaderSettings"]

_OWNER, _SIZE, _MIXTURE = "loader", "batch_size", "mixture"


@final
class LoaderSettings:
    """Finds what can be changed of the loaders that the loop trains on; the first optimizer's steps prove it."""

    def find(self, objects: LiveObjects) -> Iterator[BoundSetting | Unbound]:
        """The settings of every loader."""
        optimizer = next(iter(objects.watched().values()), None)
        for name, loader in objects.loaders.items():
            owner = name or _OWNER
            if optimizer is None:
                yield Unbound(key_of_path((owner, _SIZE)), "no optimizer is bound whose steps could prove it: bind one")
            elif not isinstance(loader, DataLoader):
                why = f"a {type(loader).__qualname__} is no torch DataLoader: what it reads its size from is not known"
                yield Unbound(key_of_path((owner, _SIZE)), why)
            else:
                yield from _of_loader(owner, loader, optimizer, PassLength(loader, [*objects.schedulers.values()]))


def _of_loader(
    owner: str, loader: DataLoader[object], optimizer: Optimizer, length: PassLength
) -> Iterator[BoundSetting | Unbound]:
    batches: object = loader.batch_sampler
    if batches is None:
        yield Unbound(key_of_path((owner, _SIZE)), "the loader gathers no batches: it was made with batch_size=None")
        return
    try:
        sized = batches if isinstance(batches, ResizableBatchSampler) else LoaderBatches(batches)
    except InvalidInput as problem:
        yield Unbound(key_of_path((owner, _SIZE)), str(problem))
    else:
        limits = Limits.of_count(sized.batch_size)
        setting = LoaderSetting(BatchSize(sized, optimizer), sized, batches, optimizer, length)
        yield BoundSetting((owner, _SIZE), setting, limits)
    mixture = batches.sampler if isinstance(batches, ResizableBatchSampler) else loader.sampler
    if isinstance(mixture, MixtureSampler):
        limits = Limits.of_share(sum(mixture[name] for name in mixture.names))
        for name in mixture.names:
            binding = LoaderSetting(MixtureWeight(mixture, name, optimizer), mixture, mixture, optimizer, length)
            yield BoundSetting((owner, _MIXTURE, name), binding, limits)
