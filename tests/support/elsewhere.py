"""A device that is not there: tensors that are kept on the CPU and refuse to be mixed with those of the CPU.

Under `device()` torch makes its tensors there, as it does on a GPU after `use_device("cuda")`. What
fails on a GPU for want of a copy fails here too: an operation of tensors of both, `.numpy()` without `force`.
"""

from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

META = torch.device("meta")  # by this name torch is asked for the device


class Elsewhere(torch.Tensor):
    """A tensor of the device that is not there; `held` is the one that stands for it."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), dtype=held.dtype, device=META,
            storage_offset=held.storage_offset(), requires_grad=held.requires_grad,
        )  # fmt: skip

    def __init__(self, held):
        self.held = held

    def numpy(self, *, force=False):
        """As a GPU's: only by force."""
        if not force:
            raise TypeError("can't convert a tensor of this device to numpy; copy it to the CPU first")
        return self.detach().cpu().numpy()

    def tolist(self):
        return self.detach().cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return work(func, args, kwargs or {})


class Watch(TorchDispatchMode):
    """Sees every operation, also those that make a tensor."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return work(func, args, kwargs or {})


class Make(TorchFunctionMode):
    """`torch.tensor` of a list, which makes it on the device before any operation can be seen."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.tensor and kwargs.get("device") is None:
            return Elsewhere(func(*args, **kwargs | {"device": "cpu"}))
        return func(*args, **kwargs)


def work(func, args, kwargs):
    """Do an operation on what stands for the tensors, if they are all of one device."""
    found = []
    tree_map(lambda x: found.append(x) if isinstance(x, torch.Tensor) else None, (args, kwargs))
    there = [x for x in found if isinstance(x, Elsewhere)]
    here = [x for x in found if not isinstance(x, Elsewhere)]
    name = func.__name__.split(".")[0]
    target = kwargs.get("device")
    copies = name in ("_to_copy", "copy_", "index", "index_put_", "_index_put_impl_", "set_data")
    if there and not copies and any(x.dim() for x in here):
        raise RuntimeError(f"{name}: tensors of two devices, {[tuple(x.shape) for x in found]}")
    held = tree_map(lambda x: x.held if isinstance(x, Elsewhere) else x, (args, kwargs))
    if target is not None:
        held[1]["device"] = torch.device("cpu")
    out = func(*held[0], **held[1])
    if name.endswith("_") and not name.endswith("__"):
        return args[0]
    if (there and (target is None or target == META)) or target == META:
        return tree_map(lambda x: Elsewhere(x) if isinstance(x, torch.Tensor) else x, out)
    return out


@contextmanager
def device():
    """Make tensors on the device that is not there."""
    with Watch(), META, Make():
        yield META
