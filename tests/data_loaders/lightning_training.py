"""A training with Lightning's own Trainer, run in processes of its own by test_lightning.py.

    python lightning_training.py FOLDER DEVICES STEPS [checkpoint to go on from]

Each rank writes the windows of every batch it trained on to seen-<rank>.json. The module asks for the trap of Lightning
2.6: it reads `estimated_stepping_batches` in `configure_optimizers`, which makes Lightning forget where a loader stood.
"""

import json
import sys
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from data_loaders.contracts import Batch, Field
from data_loaders.datamodule import Data
from data_loaders.splits.time_block import TimeBlock
from data_loaders.windows import Tile

ACCUMULATE, LIMIT = 2, 6


class Trapped(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.seen: list[list[int]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        self.seen.append(batch.window_id.tolist())
        assert batch.signal is not None
        return self.layer(batch.signal.mean(2)).square().mean()

    def configure_optimizers(self) -> Any:
        assert self.trainer.estimated_stepping_batches
        return torch.optim.SGD(self.parameters(), 1e-3)


def data(store: Path, **changes: Any) -> Data:
    split = TimeBlock(n_folds=2, gap=1.0)
    made = Data(str(store), Tile(0.5), {"signal": Field(0.0, 0.5)}, split, batch_size=4, **changes)
    made.use(0, seed=3)
    return made


def main(folder: Path, devices: int, steps: int, checkpoint: str | None = None) -> None:
    module = Trapped()
    keep = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=2, save_top_k=-1)
    trainer = lightning.Trainer(
        accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto", max_steps=steps, max_epochs=-1,
        accumulate_grad_batches=ACCUMULATE, limit_train_batches=LIMIT, limit_val_batches=0, callbacks=[keep],
        logger=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=data(folder / "store"), ckpt_path=checkpoint, weights_only=True)
    (folder / f"seen-{trainer.global_rank}.json").write_text(json.dumps(module.seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
