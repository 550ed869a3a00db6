"""Weights come back as they went, or are refused with a word."""

import pytest
import torch
from torch import nn

from eartheye.errors import WrongWeights
from models.heads.upernet import UperNet
from models.weights import load_weights, read_weights, save_weights


def test_weights_and_running_statistics_come_back_bit_by_bit(tmp_path):
    head, other = UperNet(16, 3, width=8), UperNet(16, 3, width=8)
    head([torch.randn(2, 16, 6, 6) for _ in range(4)])  # moves the running statistics
    save_weights(head, tmp_path / "model.safetensors")
    load_weights(other, tmp_path / "model.safetensors")
    for name, tensor in head.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
        assert torch.equal(tensor, read_weights(tmp_path / "model.safetensors")[name])


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (nn.Linear(3, 2, bias=False), "1 tensors that the network has not, such as bias"),
        (nn.Sequential(nn.Linear(3, 2)), "lacks 2 tensors of the network, such as 0.bias"),
        (nn.Linear(4, 2), r"weight as \(2, 3\) torch.float32, the network as \(2, 4\)"),
        (nn.Linear(3, 2, dtype=torch.float64), "choose weights of the same size"),
    ],
)
def test_weights_of_another_network_are_refused_and_change_nothing(tmp_path, other, reason):
    save_weights(nn.Linear(3, 2), tmp_path / "model.safetensors")
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(WrongWeights, match=reason):
        load_weights(other, tmp_path / "model.safetensors")
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in before.items())


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_weights(nn.Linear(300, 20), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WrongWeights, match="no readable safetensors file"):
        load_weights(nn.Linear(300, 20), path)
