"""The pure parts of fetching, and unpacking."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from messor.containers.fetcher.extract import extract
from messor.containers.fetcher.fetch import target_path
from messor.containers.fetcher.request import fetch_request
from messor.containers.fetcher.schemes import FetchFailed, base_name, is_network, local_path
from messor.protos import v0

URI = v0.CommandInfo.URI


def test_the_request_has_the_form_recorded_of_mesos() -> None:
    """Keys are sorted; extract is always there, the others when set."""
    uris = [
        URI(value="/f/arch.tar.gz"),
        URI(value="/f/script.sh", executable=True),
        URI(value="file:///f/x/hello.txt", extract=False, output_file="sub/out.txt"),
    ]
    made = fetch_request(
        uris, "/sandbox", user="root", frameworks_home="", cache_folder="/tmp/fetch", stall_timeout=60.0
    )
    assert made == (
        '{"cache_directory":"/tmp/fetch/root","items":['
        '{"action":"BYPASS_CACHE","uri":{"extract":true,"value":"/f/arch.tar.gz"}},'
        '{"action":"BYPASS_CACHE","uri":{"executable":true,"extract":true,"value":"/f/script.sh"}},'
        '{"action":"BYPASS_CACHE","uri":{"extract":false,"output_file":"sub/out.txt","value":"file:///f/x/hello.txt"}}],'
        '"sandbox_directory":"/sandbox","stall_timeout":{"nanoseconds":60000000000},"user":"root"}'
    )


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/a/b.tar", "b.tar"),
        ("file:///a/b", "b"),
        ("http://h/a/b.zip?x=/y", "b.zip"),
        ("ftp://h:1/c", "c"),
        ("relative/d?e", "d?e"),
    ],
)
def test_a_file_is_named_after_its_uri(uri: str, name: str) -> None:
    """Queries belong to web addresses only."""
    assert base_name(uri) == name


@pytest.mark.parametrize("uri", ["http://host", "http://host/", "/a/..", "/a/b'c", "a\\b"])
def test_a_uri_without_a_usable_name_is_refused(uri: str) -> None:
    """It would land nowhere, or in a shell's hands."""
    with pytest.raises(FetchFailed):
        base_name(uri)


def test_local_uris_are_paths_and_relative_ones_need_a_home() -> None:
    """Anything with another scheme is not local."""
    assert local_path("/a", "") == "/a"
    assert local_path("file:///a", "") == "/a"
    assert local_path("file://localhost/a", "") == "/a"
    assert local_path("a/b", "/home") == "/home/a/b"
    assert local_path("hdfs://h/a", "") is None
    assert is_network("HTTPS://h/a")
    assert not is_network("hdfs://h/a")
    with pytest.raises(FetchFailed, match="framework home was not specified"):
        local_path("a/b", "")


@pytest.mark.parametrize("output", ["/etc/passwd", "../x", "a/../../x"])
def test_an_output_file_stays_in_the_sandbox(tmp_path: Path, output: str) -> None:
    """A framework names it, so it cannot be trusted."""
    with pytest.raises(FetchFailed, match="not a relative path inside the sandbox"):
        target_path({"value": "/a", "output_file": output}, str(tmp_path))


def tar_with(path: Path, mode: str, member: tarfile.TarInfo) -> str:
    """Make a tar file with one member of six bytes."""
    with tarfile.open(path, mode) as tar:
        member.size = 6 if member.isfile() else 0
        tar.addfile(member, io.BytesIO(b"hello\n") if member.isfile() else None)
    return str(path)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w"),
        ("a.tgz", "w:gz"),
        ("a.tar.gz", "w:gz"),
        ("a.tbz2", "w:bz2"),
        ("a.tar.bz2", "w:bz2"),
        ("a.txz", "w:xz"),
        ("a.tar.xz", "w:xz"),
    ],
)
def test_tar_files_are_unpacked_by_the_ends_of_their_names(tmp_path: Path, name: str, mode: str) -> None:
    """The seven spellings Mesos knows."""
    assert extract(tar_with(tmp_path / name, mode, tarfile.TarInfo("in/hello")), str(tmp_path))
    assert (tmp_path / "in" / "hello").read_text() == "hello\n"


def test_zip_files_keep_permissions(tmp_path: Path) -> None:
    """A program in a zip file can be run."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        info = zipfile.ZipInfo("run.sh")
        info.external_attr = 0o755 << 16
        packed.writestr(info, "x")
    assert extract(str(tmp_path / "a.zip"), str(tmp_path))
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o755


def test_gzip_files_lose_their_ending(tmp_path: Path) -> None:
    """The packed file stays beside the plain one."""
    with gzip.open(tmp_path / "a.txt.gz", "wb") as packed:
        packed.write(b"plain")
    assert extract(str(tmp_path / "a.txt.gz"), str(tmp_path))
    assert (tmp_path / "a.txt").read_bytes() == b"plain"


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Only names count, not contents."""
    (tmp_path / "a.bin").write_bytes(b"PK")
    assert not extract(str(tmp_path / "a.bin"), str(tmp_path))


def test_a_broken_archive_is_an_error(tmp_path: Path) -> None:
    """The task would fail without its files, less clearly."""
    (tmp_path / "a.tar.gz").write_bytes(b"not gzip")
    with pytest.raises(FetchFailed, match="Failed to extract"):
        extract(str(tmp_path / "a.tar.gz"), str(tmp_path))


def test_no_member_leaves_the_folder(tmp_path: Path) -> None:
    """Not by dots, and not through a link."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    (folder / "link").symlink_to("..")
    for number, member in enumerate((tarfile.TarInfo("../evil"), tarfile.TarInfo("link/evil"))):
        with pytest.raises(FetchFailed, match="Failed to extract"):
            extract(tar_with(tmp_path / f"{number}.tar", "w", member), str(folder))
    assert not (tmp_path / "evil").exists()
