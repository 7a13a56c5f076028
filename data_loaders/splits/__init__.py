"""How windows are shared out between training, validation and test, one rule per file."""

from data_loaders.splits.base import Fold, Split
from data_loaders.splits.groups import By, LeaveOneOut
from data_loaders.splits.hold_out import HoldOut
from data_loaders.splits.kfold import KFold
from data_loaders.splits.named import Named
from data_loaders.splits.time_block import TimeBlock

__all__ = ["By", "Fold", "HoldOut", "KFold", "LeaveOneOut", "Named", "Split", "TimeBlock"]
