"""What follows from a soak's readback: reports, the record that a gate judges, metrics, the seal of the drawing."""

from seedbed.soak.reports._drawing import SealedDrawing, SoakDrawing
from seedbed.soak.reports._metrics import SoakCounts, soak_metrics
from seedbed.soak.reports._reports import PostSoakSnapshot, TuningReport

__all__ = ["PostSoakSnapshot", "SealedDrawing", "SoakCounts", "SoakDrawing", "TuningReport", "soak_metrics"]
