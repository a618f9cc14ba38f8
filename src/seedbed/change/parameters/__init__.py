"""What may change: parameters, their grids and bounds, the registry of them, and deltas."""

from seedbed.change.parameters._delta import Add, Delta, Operation, Scale, Set
from seedbed.change.parameters._grid import nearest_on_grid
from seedbed.change.parameters._parameter import Number, Parameter
from seedbed.change.parameters._registry import Registry

__all__ = ["Add", "Delta", "Number", "Operation", "Parameter", "Registry", "Scale", "Set", "nearest_on_grid"]
