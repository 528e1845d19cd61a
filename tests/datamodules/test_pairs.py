import itertools
import logging
import shutil
import subprocess
import sys
import warnings

import lightning.pytorch as pl
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from torch import nn

from datamodules import Augmentation, FramePairs, ToySettings

TOY = ToySettings(train_clips=6, test_clips=3, frames=6, identities=3, test_identities=2)
FOLDERS = {"train": "train", "test": "test", "image_size": 16, "batch_size": 2}


def toy_pairs(**changes):
    return FramePairs(**{"toy": TOY, "image_size": 16, "batch_size": 2, "repeats": 4, **changes})


class Witness(pl.LightningModule):
    """Learns nothing and notes what it is given; keys and first pixels of every batch."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen, self.types, self.scored = [], set(), []

    def training_step(self, batch, batch_idx):
        self.seen.append((batch["key"].tolist(), batch["source"][:, :, 4, 4].tolist()))
        self.types.add(batch["source"].dtype)
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.types.add(batch["video"].dtype)
        self.scored.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SaveEverywhere(Callback):
    """Checkpoints in every hook in which one may be written, named by batches seen."""

    def __init__(self, folder):
        self.folder, self.paths = folder, {}

    def _save(self, trainer, module, hook):
        if not trainer.sanity_checking:
            path = self.folder / f"{hook}-{len(module.seen)}.ckpt"
            trainer.save_checkpoint(path)
            self.paths[path] = len(module.seen)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self._save(trainer, module, "batch")

    def on_validation_end(self, trainer, module):
        self._save(trainer, module, "validation")

    def on_train_epoch_end(self, trainer, module):
        self._save(trainer, module, "epoch")

    def on_train_end(self, trainer, module):
        self._save(trainer, module, "end")


def fit(data, *, ckpt=None, callbacks=(), **options):
    module = Witness()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            **{"accelerator": "cpu", "devices": 1, "max_epochs": 3, "logger": False,
               "enable_checkpointing": False, "enable_progress_bar": False,
               "enable_model_summary": False, "use_distributed_sampler": False,
               "num_sanity_val_steps": 0, "check_val_every_n_epoch": None,
               "val_check_interval": 3, "callbacks": list(callbacks), **options}
        )  # fmt: skip
        trainer.fit(module, datamodule=data, ckpt_path=ckpt)
    return module


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    saver = SaveEverywhere(tmp_path_factory.mktemp("checkpoints"))
    module = fit(toy_pairs(repeats=3, augment="vox"), callbacks=[saver])
    return module.seen, saver.paths


def test_an_epoch_shows_every_item_and_epochs_differ(unbroken):
    seen, _ = unbroken
    assert len(seen) == 27
    epochs = [[key for keys, _ in seen[9 * e : 9 * e + 9] for key in keys] for e in range(3)]
    for epoch, keys in enumerate(epochs):
        assert sorted(keys) == [[0, epoch, index] for index in range(18)]
    assert [k[2] for k in epochs[0]] != [k[2] for k in epochs[1]]


def test_workers_change_nothing(unbroken):
    assert fit(toy_pairs(repeats=3, augment="vox", num_workers=2)).seen == unbroken[0]


def test_resume_goes_on_where_any_checkpoint_was_written(unbroken):
    """At every batch, after validation, at the ends of epochs, and after the last."""
    seen, paths = unbroken
    assert {path.name.split("-")[0] for path in paths} == {"batch", "validation", "epoch", "end"}
    assert len(paths) > 38
    for path, done in paths.items():
        data = toy_pairs(repeats=3, augment="vox")
        assert fit(data, ckpt=path).seen == seen[done:], path.name


@pytest.mark.parametrize(
    "name", ["batch-4", "batch-9", "batch-14", "validation-12", "epoch-9", "epoch-18"]
)
def test_resume_with_workers(unbroken, name):
    """Workers fetch ahead before Lightning has told the sampler its epoch."""
    seen, paths = unbroken
    path = next(path for path in paths if path.stem == name)
    data = toy_pairs(repeats=3, augment="vox", num_workers=2)
    assert fit(data, ckpt=path).seen == seen[paths[path] :]


def test_resume_when_the_trainer_ends_epochs_early(tmp_path):
    saver = SaveEverywhere(tmp_path)
    seen = fit(toy_pairs(), callbacks=[saver], limit_train_batches=5).seen
    assert len(seen) == 15
    for name in ("batch-5", "batch-7", "epoch-10"):
        path = tmp_path / f"{name}.ckpt"
        again = fit(toy_pairs(), ckpt=path, limit_train_batches=5).seen
        assert again == seen[saver.paths[path] :], name


def test_resume_with_other_batches_is_refused_in_mid_epoch(unbroken):
    path = next(path for path in unbroken[1] if path.stem == "batch-4")
    with pytest.raises(ValueError, match=r"after batch 4 of an epoch of 18 pairs in batches of 2"):
        fit(toy_pairs(repeats=3, batch_size=3), ckpt=path)


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-true"])
def test_frames_have_the_modules_type(precision):
    module = fit(toy_pairs(augment="vox"), precision=precision, max_epochs=1, limit_train_batches=3)
    expected = {"32": torch.float32, "64": torch.float64, "bf": torch.bfloat16}[precision[:2]]
    assert module.types == {expected}
    value = torch.tensor(module.scored[0]["video"][0, 0, 0].tolist())
    assert value.min() >= 0
    assert 0.05 < value.max() <= 1


def test_only_training_pairs_are_varied():
    plain, varied = (
        fit(toy_pairs(augment=name), max_epochs=1)
        for name in ("none", Augmentation(brightness=0.5, mirror=0.5))
    )
    assert [keys for keys, _ in plain.seen] == [keys for keys, _ in varied.seen]
    assert plain.seen != varied.seen
    for one, other in zip(plain.scored, varied.scored, strict=True):
        assert torch.equal(one["video"], other["video"])


def test_clip_batches():
    data = toy_pairs(references=2, frames=3)
    data.setup("validate")
    batches = list(data.val_dataloader())
    assert [b["name"][0] for b in batches] == [data.test_clips.name(i) for i in range(3)]
    for batch in batches:
        assert batch["video"].shape == (1, 3, 3, 16, 16)
        assert batch["video"].dtype == torch.uint8
        assert batch["references"].shape == (1, 2, 3, 16, 16)
        assert batch["frame_index"][0, 0] == 0
        assert batch["counts"].all()
        assert batch["fps"] == [25.0]
    assert [b["name"] for b in data.test_dataloader()] == [b["name"] for b in batches]


def test_cross_batches_carry_references_and_their_numbers():
    data = toy_pairs(references=2, frames=4, cross_pairs=3)
    data.setup("predict")
    batches = list(data.predict_dataloader())
    assert len(batches) == 3
    for batch in batches:
        assert batch["source"].shape == (1, 3, 16, 16)
        assert batch["driving"].shape == (1, 4, 3, 16, 16)
        assert batch["references"].shape == (1, 2, 3, 16, 16)
        assert batch["reference_index"].shape == (1, 2)
        assert batch["source_name"] != batch["driving_name"]
    again = toy_pairs(references=2, frames=4, cross_pairs=3).predict_dataloader()
    assert [b["source_name"] for b in again] == [b["source_name"] for b in batches]
    with pytest.raises(ValueError, match="cross_pairs"):
        toy_pairs().predict_dataloader()


def test_two_processes_share_training_and_scoring(monkeypatch):
    whole = toy_pairs(batch_size=4)
    parts = [toy_pairs(batch_size=2) for _ in range(2)]
    for rank, part in enumerate(parts):
        monkeypatch.setattr(type(part), "_process", property(lambda s: s.__dict__["at"]))
        part.__dict__["at"] = (rank, 2)
    whole.__dict__["at"] = (0, 1)
    for together, first, second in zip(
        *(data.train_dataloader() for data in (whole, *parts)), strict=True
    ):
        assert torch.equal(together["source"][0::2], first["source"])
        assert torch.equal(together["source"][1::2], second["source"])
    scored = [
        (batch["name"][0], bool(batch["counts"]))
        for part in parts
        for batch in part.val_dataloader()
    ]
    assert len(scored) == 4
    counted = [name for name, counts in scored if counts]
    assert sorted(counted) == sorted(whole.test_clips.name(i) for i in range(3))


def test_identities_and_folders(small_root):
    data = FramePairs(str(small_root), **FOLDERS, identities="prefix(#)", identity_sampling=True)
    assert data.num_identities == 2
    data.setup("fit")
    assert [data.test_clips.identity(i) for i in range(2)] == [1, 2]
    batch = next(iter(data.train_dataloader()))
    assert sorted(batch["identity"].tolist()) == [0, 1]
    assert toy_pairs().num_identities == 3


def test_a_clips_identity_is_the_same_in_every_epoch_worker_and_process(small_root, monkeypatch):
    """What an identity classifier learns from."""

    def labels(rank=0, world=1, **changes):
        data = FramePairs(
            str(small_root), **FOLDERS, identities="prefix(#)", repeats=4, seed=rank, **changes
        )
        data.setup("fit")
        monkeypatch.setattr(type(data), "_process", property(lambda s: (rank, world)))
        loader, found = data.train_dataloader(), set()
        for _ in range(2):  # epochs
            for batch in loader:
                found |= set(zip(batch["name"], batch["identity"].tolist(), strict=True))
        return found

    one = labels()
    assert len(dict(one)) == len(one) > 1
    assert {label for _, label in one} == {0, 1}
    assert labels(num_workers=2) == one
    assert labels(0, 2) | labels(1, 2) == one


def test_a_missing_set_is_an_error_at_setup_only(tmp_path):
    data = FramePairs(str(tmp_path / "data"), train="train/faces", test="test/faces")
    assert data.num_identities == 0
    with pytest.raises(FileNotFoundError, match=r"train/faces does not exist.*DATA_ROOT"):
        data.setup("fit")


def test_one_split_missing(small_root):
    shutil.rmtree(small_root / "test")
    with pytest.raises(FileNotFoundError, match=r"test does not exist"):
        FramePairs(str(small_root), **FOLDERS).setup("fit")


def test_a_split_without_clips(small_root):
    shutil.rmtree(small_root / "train")
    (small_root / "train").mkdir()
    with pytest.raises(ValueError, match=r"train holds no clip"):
        FramePairs(str(small_root), **FOLDERS).setup("fit")


def test_clips_too_short_are_named_at_setup(small_root):
    data = FramePairs(str(small_root), **FOLDERS, references=6, cache=True)
    with pytest.raises(ValueError, match=r"c#1 has 7 frames, 8 are needed"):
        data.setup("fit")
    data = FramePairs(str(small_root), **FOLDERS, references=8, cache=True)
    with pytest.raises(ValueError, match=r"a#1 has 8 frames, 9 are needed"):
        data.setup("fit")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"root": "data", "toy": TOY}, "exclude each other"),
        ({"augment": "voxx"}, "data.augment: 'voxx'"),
        ({"batch_size": 0}, "data.batch_size must be at least 1"),
        ({"references": -1}, "data.references"),
        ({"frames": 1}, "data.frames"),
    ],
)
def test_arguments_out_of_range(arguments, said):
    with pytest.raises(ValueError, match=said):
        FramePairs(**arguments)


def test_too_few_pairs_for_a_batch():
    with pytest.raises(ValueError, match=r"6 pairs .* batch of 32: lower data.batch_size"):
        toy_pairs(batch_size=32, repeats=1).train_dataloader()


@pytest.mark.parametrize("name", ["actions", "faces", "bodies", "animals"])
def test_the_real_sets_by_their_configs(shared_dir, root, name):
    text = (root / "zoo_configs" / "data" / f"{name}.yaml").read_text()
    arguments = yaml.safe_load(text)["data"]["init_args"]
    arguments |= {"root": str(shared_dir / "data"), "batch_size": 2, "cache": False}
    data = FramePairs(**arguments)
    data.setup("fit")
    size = {"actions": 64, "animals": 128}.get(name, 256)
    batch = next(iter(data.train_dataloader()))
    assert batch["source"].shape == (2, 3, size, size)
    assert (batch["source"] != batch["driving"]).any()
    clip = next(iter(data.val_dataloader()))
    assert clip["video"].shape[-2:] == (size, size)
    assert clip["video"].shape[1] == min(32, data.test_clips.num_frames(0))
    train = {data.train_clips.identity(i) for i in range(len(data.train_clips))}
    test = {data.test_clips.identity(i) for i in range(len(data.test_clips))}
    assert train == set(range(data.num_identities))
    assert bool(train & test) == (name == "actions")  # its people are in both splits


def test_reading_media_does_not_load_lightning():
    code = "import sys, datamodules.media, datamodules.batch; print('lightning' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_names_of_the_package():
    import datamodules

    assert all(hasattr(datamodules, name) for name in datamodules.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = datamodules.nothing


def test_seed_changes_pairs():
    first, other = (
        next(itertools.islice(toy_pairs(seed=seed).train_dataloader(), 1)) for seed in (0, 1)
    )
    assert first["key"][0, 0] == 0
    assert other["key"][0, 0] == 1
    assert first["name"] != other["name"] or not torch.equal(first["source"], other["source"])
