"""Unpacking archives by the ends of their names."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zipfile

from messor.containers.fetcher.schemes import FetchFailed

_TAR_ENDINGS = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")


def extract(archive: str, folder: str) -> bool:
    """Unpack an archive into a folder; False when its name is not that of an archive. Raises FetchFailed.

    Members that would land outside the folder are refused.
    """
    try:
        if archive.endswith(_TAR_ENDINGS):
            _untar(archive, folder)
            return True
        if archive.endswith(".zip"):
            _unzip(archive, folder)
            return True
        if archive.endswith(".gz"):
            target = os.path.join(folder, os.path.basename(archive)[: -len(".gz")])
            with gzip.open(archive) as packed, open(target, "wb") as plain:
                shutil.copyfileobj(packed, plain)
            return True
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise FetchFailed(f"Failed to extract '{archive}': {error}") from error
    return False


def _untar(archive: str, folder: str) -> None:
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "tar_filter"):
            tar.extractall(folder, filter="tar")
            return
        # The first 3.11 releases have no filters yet.
        root = os.path.realpath(folder)
        for member in tar:
            # A symbolic link may point anywhere, but nothing is written through it.
            ends = [os.path.join(root, member.name)]
            if member.islnk():
                ends.append(os.path.join(root, member.linkname))
            if any(os.path.commonpath([root, os.path.realpath(end)]) != root for end in ends):
                raise FetchFailed(f"Failed to extract '{archive}': '{member.name}' would land outside the sandbox")
            tar.extract(member, root)


def _unzip(archive: str, folder: str) -> None:
    """Unpack with permissions, which zipfile by itself drops."""
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            path = packed.extract(member, folder)
            mode = member.external_attr >> 16 & 0o777
            if mode and not member.is_dir():
                os.chmod(path, mode)
