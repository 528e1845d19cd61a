import pytest

from datamodules.samplers import EpochSampler, ShareSampler


def order(sampler, epoch):
    sampler.set_epoch(epoch)
    return list(sampler)


def test_order_depends_on_seed_and_epoch_alone():
    one, same, other = (EpochSampler(40, 8, seed) for seed in (3, 3, 4))
    order(one, 7)
    assert order(one, 2) == order(same, 2)
    assert order(one, 2) != order(other, 2)
    assert [i for _, i in order(one, 2)] != [i for _, i in order(one, 3)]
    assert sorted(i for _, i in order(one, 2)) == list(range(40))
    assert {epoch for epoch, _ in order(one, 2)} == {2}


def test_batches_are_full_and_what_is_left_changes():
    sampler = EpochSampler(45, 8, 0)
    assert len(sampler) == 40
    left = {frozenset(range(45)) - {i for _, i in order(sampler, e)} for e in range(3)}
    assert len(left) == 3
    assert all(len(some) == 5 for some in left)


@pytest.mark.parametrize("items", [32, 45])
def test_two_processes_see_what_one_with_the_larger_batch_sees(items):
    whole = order(EpochSampler(items, 8, 1), 5)
    parts = [order(EpochSampler(items, 4, 1, rank=r, world_size=2), 5) for r in range(2)]
    for batch in range(len(whole) // 8):
        ours = [part[batch * 4 : batch * 4 + 4] for part in parts]
        together = whole[batch * 8 : batch * 8 + 8]
        assert ours[0] == together[0::2]
        assert ours[1] == together[1::2]
    assert len(parts[0]) == len(parts[1]) == len(whole) // 2


@pytest.mark.parametrize("rank", [0, 1])
def test_taking_up_a_position(rank):
    def fresh():
        return EpochSampler(40, 4, 0, rank=rank, world_size=2)

    unbroken = order(fresh(), 6)
    first = fresh()
    first.set_epoch(6)
    resumed = fresh()
    resumed.take_up(first.position(done=3, batches=5))
    assert resumed.epoch == 6
    assert list(resumed) == unbroken[12:]
    assert len(resumed) == len(unbroken)  # Lightning counts from the epoch's beginning
    assert order(resumed, 7) == order(fresh(), 7)


def test_a_position_at_the_end_is_the_next_epoch_whatever_ends_it():
    sampler = EpochSampler(40, 4, 0)
    sampler.set_epoch(6)
    for batches in (10, 3):
        position = sampler.position(done=batches, batches=batches)
        assert (position["epoch"], position["batch"]) == (7, 0)


def test_a_position_among_other_batches_is_refused():
    position = EpochSampler(40, 4, 0).position(done=3, batches=10)
    with pytest.raises(ValueError, match=r"after batch 3 .* 40 pairs in batches of 4 .* of 5"):
        EpochSampler(40, 5, 0).take_up(position)
    with pytest.raises(ValueError, match="48 pairs in batches of 4"):
        EpochSampler(48, 4, 0).take_up(position)
    EpochSampler(40, 2, 0, world_size=2).take_up(position)
    # between epochs nothing is lost
    EpochSampler(40, 5, 0).take_up({**position, "epoch": 1, "batch": 0})


def test_an_epoch_that_fills_no_batch_is_refused():
    with pytest.raises(ValueError, match=r"10 pairs .* batch of 8 on each of 4 .* least 4 times"):
        EpochSampler(10, 8, 0, world_size=4)


@pytest.mark.parametrize(("items", "world"), [(5, 1), (5, 2), (6, 4), (1, 3)])
def test_shares_are_even_and_count_each_thing_once(items, world):
    shares = [list(ShareSampler(items, rank=r, world_size=world)) for r in range(world)]
    assert len({len(share) for share in shares}) == 1
    assert all(len(ShareSampler(items, rank=0, world_size=world)) == len(s) for s in shares)
    counted = [index for share in shares for index, counts in share if counts]
    assert sorted(counted) == list(range(items))
