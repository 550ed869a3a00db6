"""Centring over two processes equals centring over all samples in one."""

import torch
from torch import distributed as dist
from torch import multiprocessing

from models.objectives.centring import MovingAverageCentre, sinkhorn_knopp


def samples():
    return torch.rand(10, 6, generator=torch.Generator().manual_seed(5)) * 2 - 1


def one_process(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    mine = samples()[:7] if rank == 0 else samples()[7:]  # shares differ, as numbers of masked patches do
    centring = MovingAverageCentre(prototypes=6)
    centring(mine, 0.05)
    torch.save({"targets": sinkhorn_knopp(mine, 0.05), "centre": centring.centre}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_centre_as_one(tmp_path):
    multiprocessing.spawn(one_process, (str(tmp_path),), nprocs=2)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat([rank["targets"] for rank in ranks]), sinkhorn_knopp(samples(), 0.05))
    for rank in ranks:
        torch.testing.assert_close(rank["centre"], 0.1 * samples().mean(dim=0))
