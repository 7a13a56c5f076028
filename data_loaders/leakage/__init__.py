"""The leakage guard: what training must not have seen, refused with the two windows named, or flagged."""

from data_loaders.leakage.base import Flag, LeakageError
from data_loaders.leakage.guard import check, check_monitor
from data_loaders.leakage.pretraining import also_trained_on, check_pretrained, trained_on

__all__ = ["Flag", "LeakageError", "also_trained_on", "check", "check_monitor", "check_pretrained", "trained_on"]
