"""A weights file's bytes -> named tensors. What a file is, is told by its content; nothing is unpickled."""

import io
import pickle
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ...errors import Fault, InvalidInput, MissingExtra
from ...plain_text import json_of

Tensors: TypeAlias = dict[str, np.ndarray]

FORMATS = "a PyTorch state dict (.pth), .safetensors or Keras' .h5, .weights.h5 or .keras"
METADATA = "trabecula"  # the key of what we write beside the tensors of a .safetensors file
AGAIN = "Download or copy it again and compare its size and checksum with the source's."


def read_tensors(name: str, content: bytes) -> Tensors:
    """Read every tensor of a file under the file's own names; Keras' become ``layer/kernel`` and the like.

    Raises InvalidInput when the bytes are none of the formats or damaged, and MissingExtra when only torch can
    read them and torch is not installed.
    """
    if not content:
        raise unusable(name, "an empty file of 0 bytes", FORMATS, AGAIN)
    for matches, read in _READERS:
        if matches(content):
            return read(name, content)
    begin = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, what, action in _NOT_WEIGHTS:
        if begin.lower().startswith(start):
            raise unusable(name, what, FORMATS, action)
    if not _CONTROL.search(begin):
        line = begin.partition(b"\n")[0].rstrip()[:60].decode("utf-8", "replace")
        raise unusable(name, f"a text, not weights (it begins: {line})", FORMATS, _READ_IT)
    raise unusable(name, f"a format that we do not know (it begins with {content[:8]!r})", FORMATS, _CONVERT)


def read_metadata(content: bytes) -> dict[str, Any]:
    """What we wrote beside the tensors of a .safetensors file, whose beginning is enough; empty in all other files."""
    try:
        told = json_of(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
        return dict(json_of(told[METADATA]))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return {}


def unusable(name: str, found: str, expected: str, action: str) -> InvalidInput:
    """One fault of one weights file."""
    return InvalidInput([Fault(f"weights {name}", found, expected, action)])


_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # what no text holds
_READ_IT = "Open it in an editor: it may say what went wrong with the download."
_CONVERT = "If it holds a ResNet-50, save its state dict: safetensors.torch.save_file(model.state_dict(), FILE)."
_UNPACK = "Unpack it and give the weights file inside."
_KERAS = "model.weights.h5"
_SWELLING = 20  # times: numbers of weights are hardly packed at all
_SMALL = 1 << 26  # bytes
_NOT_WEIGHTS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file it points to", "Fetch it: git lfs pull."),
    (b"<", "a web page, not weights", "Open the address in a browser: it may ask for a licence or a log-in."),
    (b"{", "a text in JSON, not weights", "Give the file with the numbers; an index.json names the parts of one."),
    *((start, "a compressed archive", _UNPACK) for start in (b"\x1f\x8b", b"7z\xbc\xaf", b"rar!")),
)


def _read_safetensors(name: str, content: bytes) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    header = int.from_bytes(content[:8], "little")
    if header > len(content) - 8:
        raise _truncated(name, f"its header alone is {header:,} bytes, the file {len(content):,}")
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise _truncated(name, str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        found, expected = "numbers of a kind that NumPy does not have (bfloat16, float8)", "float32 or float16"
        raise unusable(name, found, expected, "Convert it: model.float(), then save it again.") from None


def _read_zip(name: str, content: bytes) -> Tensors:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.namelist()
            _refuse_swelling(name, archive, len(content))
            inside = archive.read(_KERAS) if _KERAS in members else None
    except zipfile.BadZipFile as error:
        why = "a zip archive without its end" if "not a zip file" in str(error) else _first_line(error)
        raise _truncated(name, why) from None
    except (ValueError, RuntimeError, NotImplementedError, EOFError, zlib.error, OSError) as error:
        raise _truncated(name, _first_line(error)) from None
    if inside is not None:
        return _read_hdf5(name, inside)
    if any(member.endswith("data.pkl") for member in members):
        return _read_torch(name, content)
    raise unusable(name, f"a zip archive that holds {members[0] if members else 'nothing'}", FORMATS, _UNPACK)


def _refuse_swelling(name: str, archive: zipfile.ZipFile, packed: int) -> None:
    size = sum(member.file_size for member in archive.infolist())
    if size > max(_SMALL, _SWELLING * packed):
        raise unusable(name, f"members of {size >> 20} MiB, unpacked", "weights stored as they are", AGAIN)


def _read_torch(name: str, content: bytes) -> Tensors:
    """Read a state dict without unpickling anything but tensors and plain containers."""
    try:
        import torch
    except ImportError:
        words = (
            f"Weights {name} are a PyTorch file; reading it needs torch: pip install 'trabecula[train]'. "
            "It is needed once: `trabecula weights add FILE` keeps a copy that is read without it."
        )
        raise MissingExtra(words) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own words on files that are refused below
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Weights only" in str(error):
            found, action = "Python objects that would have to be run, not tensors alone", _PLAIN
            raise unusable(name, found, "a state dict: names and tensors", action) from None
        raise _truncated(name, _first_line(error)) from None
    except Exception as error:  # noqa: BLE001 a damaged archive may fail in any way
        raise _truncated(name, _first_line(error)) from None
    try:
        return {
            key: (value.float() if value.is_floating_point() else value).detach().numpy()
            for key, value in _innermost(found, torch.Tensor).items()
        }
    except (TypeError, RuntimeError):
        what, action = "tensors that are not plain (quantised or sparse)", "Give the weights before quantisation."
        raise unusable(name, what, "float32 or float16", action) from None


_PLAIN = "It was not opened. Ask its author for torch.save(model.state_dict(), FILE), or for .safetensors."


def _innermost(found: object, tensor: type) -> dict[str, Any]:
    """The dict with the most tensors: checkpoints keep the state dict beside the epoch and the optimiser."""
    if not isinstance(found, Mapping):
        return {}
    here = {str(key): value for key, value in found.items() if isinstance(value, tensor)}
    inside = [_innermost(value, tensor) for key, value in found.items() if "optim" not in str(key)]
    return max([here, *inside], key=len)


def _read_hdf5(name: str, content: bytes) -> Tensors:
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            tensors: Tensors = {}
            file.visititems(lambda path, item: _take(tensors, path, item, max(_SMALL, _SWELLING * len(content))))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise _truncated(name, _first_line(error)) from None
    if any(layer == "vars" for layer, _, _ in (key.partition("/") for key in tensors)):
        found = "a Keras file that does not name its layers, as early versions of Keras 3 wrote them"
        raise unusable(name, found, "layers by name", "Load it in Keras and save it as .h5: model.save('FILE.h5').")
    return tensors


def _take(tensors: Tensors, path: str, item: Any, most: int) -> None:
    """Name a data set of Keras' by its layer and its role in it, in each of the layouts that Keras has had."""
    if not hasattr(item, "shape") or path.startswith(("optimizer_weights", "optimizer/")):
        return
    *groups, last = path.removesuffix(":0").split("/")
    layer = groups[-1] if groups else ""
    if item.nbytes > most:  # of what was never written there is nothing in the file
        raise ValueError(f"{path} of {item.nbytes >> 20} MiB, unpacked")
    array = item[()]
    if layer == "vars":  # Keras 3 numbers a layer's variables and keeps its name beside them
        roles = _NORM if len(item.parent) == len(_NORM) else _KERNEL
        named = item.parent.attrs.get("name", "vars")
        tensors[f"{named}/{roles[int(last)] if int(last) < len(roles) else last}"] = array
        return
    role = last.removeprefix(f"{layer}_")
    tensors[f"{layer}/{_OLD_ROLES.get(role, role)}"] = array


_KERNEL = ("kernel", "bias")
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_OLD_ROLES = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}


def _truncated(name: str, why: str) -> InvalidInput:
    return unusable(name, f"a file that is cut short or damaged ({why[:120]})", "a whole file", AGAIN)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[str, bytes], Tensors]], ...] = (
    (lambda content: content[8:9] == b"{" and content[:1] != b"{", _read_safetensors),
    (lambda content: content[:4] == b"\x89HDF", _read_hdf5),
    (lambda content: content[:2] == b"PK", _read_zip),
    (lambda content: content[0] == 0x80 and content[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}, _read_torch),
)
