"""The spool's directory: private to one user, and refused where that can not be."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings as django_settings

from costtrack.conf import settings
from costtrack.exceptions import CostTrackError

SEGMENT_SUFFIX = ".segment"
DEAD_LETTERS = "dead-letters.jsonl"
OTHER_FILES = frozenset({".gitignore", "counters.json"})


class SpoolUnusable(CostTrackError, OSError):
    """Events can not be spooled here: the directory is not writable, or not private."""


def spool_directory() -> Path:
    """Where this process spools: COSTTRACK["SPOOL_DIR"], or `.costtrack-spool` in BASE_DIR, or else in the home."""
    if settings.spool_dir is not None:
        return Path(settings.spool_dir)
    base = getattr(django_settings, "BASE_DIR", None)
    return Path(base or Path.home()) / ".costtrack-spool"


def prepared_directory(path: Path) -> Path:
    """The directory, made if it is not there, with mode 0700. Raises SpoolUnusable with the reason.

    One that others use, too, such as /tmp, is refused: it would be closed to them.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if reason := _why_not_ours(path):
            raise SpoolUnusable(reason)
        if _is_open(path):
            path.chmod(0o700)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"x")
        ignore = path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except SpoolUnusable:
        raise
    except OSError as error:
        raise SpoolUnusable(f"{path} can not be written ({error.strerror or error}).") from error
    return path


def _why_not_ours(path: Path) -> str:
    """Why the directory, which is there, can not be this user's own; "" if it can."""
    owner = path.stat().st_uid
    if owner not in {os.geteuid(), 0} and os.geteuid() != 0:
        return f"{path} belongs to another user (uid {owner})."
    if _is_open(path) and (strange := next((name for name in sorted(os.listdir(path)) if not _is_ours(name)), None)):
        return f"{path} is open to others and holds {strange!r}: give the spool one of its own."
    return ""


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _is_ours(name: str) -> bool:
    return name.endswith((SEGMENT_SUFFIX, ".new")) or name.startswith("dead-letters") or name in OTHER_FILES


def give_to_owner_of(directory: Path, descriptor: int) -> None:
    """What root makes in the directory of another user, that user must be able to write and adopt."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def unusable_reason(path: Path) -> str:
    """Why this user could not spool there, "" if he can; makes nothing: another user may run the checks."""
    try:
        existing = next(one for one in (path, *path.parents) if _is_there(one))
        if not existing.is_dir():
            return f"{existing} is no directory."
        if not os.access(existing, os.W_OK | os.X_OK):
            return f"{existing} can not be written by this user (uid {os.geteuid()})."
        return _why_not_ours(existing) if existing == path else ""
    except OSError as error:
        return f"{path} can not be looked at ({error.strerror or error})."


def _is_there(path: Path) -> bool:
    """Also as a link to what is not there, in whose place nothing can be made. Raises OSError if nobody may know."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSize:
    """What the directory holds."""

    segments: int
    bytes: int


def spool_size(path: Path) -> SpoolSize:
    """How many segments there are, and the bytes of all files but dead letters; 0 where there is no directory."""
    segments = size = 0
    try:
        entries = list(os.scandir(path))
    except OSError:
        return SpoolSize(segments=0, bytes=0)
    for entry in entries:
        if entry.name.startswith("dead-letters"):
            continue
        try:
            size += entry.stat(follow_symlinks=False).st_size
        except OSError:  # gone meanwhile
            continue
        segments += entry.name.endswith(SEGMENT_SUFFIX)
    return SpoolSize(segments=segments, bytes=size)
