"""A training with Lightning's own Trainer, run in processes of its own by test_lightning.py.

    python lightning_training.py FOLDER DEVICES STEPS [checkpoint to go on from]

Each rank writes the windows of every batch it was given to seen-<rank>.json: to train on, to validate in the last look, to
test. The module has buffers, which ranks send each other before every batch, so that all need as many. It also asks for the
trap of Lightning 2.6: it reads `estimated_stepping_batches` in `configure_optimizers`, which makes Lightning forget where a
loader stood.
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
        self.layer = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
        self.seen: dict[str, list[list[int]]] = {"train": [], "val": [], "test": []}

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        return self.loss("train", batch)

    def on_validation_epoch_start(self) -> None:
        self.seen["val"] = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.loss("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.loss("test", batch)

    def loss(self, part: str, batch: Batch) -> torch.Tensor:
        self.seen[part].append(batch.window_id.tolist())
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
    # of endless epochs Lightning would not estimate the steps, and so not forget
    trainer = lightning.Trainer(
        accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto", max_steps=steps, max_epochs=1000,
        accumulate_grad_batches=ACCUMULATE, limit_train_batches=LIMIT, num_sanity_val_steps=0, callbacks=[keep], logger=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    made = data(folder / "store")
    trainer.fit(module, datamodule=made, ckpt_path=checkpoint, weights_only=True)
    trainer.test(module, datamodule=made, verbose=False)
    (folder / f"seen-{trainer.global_rank}.json").write_text(json.dumps(module.seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
