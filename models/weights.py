"""Weights on disk: safetensors, never pickle, and never a key more or less than the network has."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from eartheye.errors import WrongWeights


def save_weights(module: nn.Module, path: Path) -> None:
    """Write all parameters and buffers.

    Args:
        module: any network whose tensors share no memory.
        path: of the `.safetensors` file; where it stands already it is replaced.
    """
    save_file({name: tensor.contiguous() for name, tensor in module.state_dict().items()}, path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, by name.

    Args:
        path: of a `.safetensors` file.

    Raises:
        WrongWeights: it is damaged, or no such file.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WrongWeights(f"{path} is no readable safetensors file ({error}): fetch or make it again") from error


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a network with the weights of a file; the network is left as it was when they do not fit.

    Args:
        module: a network of the same shape as the one that was saved.
        path: of a `.safetensors` file.

    Raises:
        WrongWeights: the file is damaged, or its names, shapes or types are not those of the network.
    """
    found, wanted = read_weights(path), module.state_dict()
    if missing := sorted(wanted.keys() - found.keys()):
        raise WrongWeights(f"{path} lacks {len(missing)} tensors of the network, such as {missing[0]}: choose its own weights")
    if unknown := sorted(found.keys() - wanted.keys()):
        raise WrongWeights(f"{path} has {len(unknown)} tensors that the network has not, such as {unknown[0]}: choose its own weights")
    for name, tensor in wanted.items():
        if (tensor.shape, tensor.dtype) != (found[name].shape, found[name].dtype):
            raise WrongWeights(
                f"{path} holds {name} as {tuple(found[name].shape)} {found[name].dtype}, the network as "
                f"{tuple(tensor.shape)} {tensor.dtype}: choose weights of the same size"
            )
    module.load_state_dict(found)
