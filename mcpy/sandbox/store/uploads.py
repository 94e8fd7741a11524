"""Multipart uploads: parts lie as contents of their own, so that completing one copies nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.store import rows
from mcpy.sandbox.store.model import (
    Bucket,
    NoUploadError,
    ObjectVersion,
    Upload,
    encode_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.sandbox.store.content import ContentFiles, ContentWriter
    from mcpy.sandbox.store.index import Index
    from mcpy.sandbox.store.model import Part


class Uploads:
    """The part of the store that keeps uploads under way."""

    _index: Index
    _files: ContentFiles
    _numbers: Iterator[int]

    def bucket(self, name: str) -> Bucket:
        """Return one bucket."""
        raise NotImplementedError

    def start_upload(self, upload: Upload) -> None:
        """Remember a new upload.

        Raises:
            NoBucketError: there is no such bucket.
        """
        template = upload.template
        with self._index.change() as db:
            number = self.bucket(upload.bucket).number
            db.execute(
                "INSERT INTO upload VALUES (?, ?, ?, ?, ?)",
                (
                    upload.id,
                    number,
                    encode_key(template.key),
                    template.mtime_ns,
                    template.encode(),
                ),
            )

    def upload(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Return an upload under way.

        Raises:
            NoBucketError: there is no such bucket.
            NoUploadError: there is no such upload of that object.
        """
        number = self.bucket(bucket).number
        row = self._index.read_one(
            "SELECT key, started, document FROM upload WHERE id=? AND bucket=? AND key=?",
            (upload_id, number, encode_key(key)),
        )
        if row is None:
            raise NoUploadError(upload_id)
        return _upload(bucket, (upload_id, *row))

    def uploads(self, bucket: str) -> list[Upload]:
        """Return the uploads under way by name of the object, then by age, oldest first.

        Raises:
            NoBucketError: there is no such bucket.
        """
        found = self._index.read(
            "SELECT id, key, started, document FROM upload WHERE bucket=?"
            " ORDER BY key, started, id",
            (self.bucket(bucket).number,),
        )
        return [_upload(bucket, row) for row in found]

    def put_part(self, upload: Upload, part: Part, writer: ContentWriter) -> None:
        """Add a part, in place of an earlier one with the same number.

        Raises:
            NoUploadError: the upload was completed or aborted meanwhile.
        """
        try:
            with self._index.change() as db:
                gone = rows.put_part(db, upload.id, part)
                rows.keep(db, writer)
        except BaseException:
            writer.discard()
            raise
        self._files.remove(gone)

    def parts(self, upload: Upload) -> list[Part]:
        """Return the parts uploaded so far, by number."""
        found = self._index.read(
            "SELECT document FROM part WHERE upload=? ORDER BY number", (upload.id,)
        )
        return [rows.decode_part(row[0]) for row in found]

    def complete_upload(
        self,
        upload: Upload,
        version: ObjectVersion,
        *,
        check: Callable[[ObjectVersion | None], None] | None = None,
    ) -> None:
        """Turn an upload into ``version``, whose parts are some of the upload's.

        Raises:
            NoBucketError: the bucket is gone.
            NoUploadError: the upload was completed or aborted meanwhile.
        """
        with self._index.change() as db:
            number = self.bucket(upload.bucket).number
            if check is not None:
                check(rows.latest(db, number, version.key))
            gone = rows.replace(db, number, version, next(self._numbers))
            gone += rows.end_upload(db, upload.id, {part.content for part in version.parts})
        self._files.remove(gone)

    def abort_upload(self, upload: Upload) -> None:
        """Forget an upload and its parts.

        Raises:
            NoUploadError: the upload was completed or aborted meanwhile.
        """
        with self._index.change() as db:
            gone = rows.end_upload(db, upload.id)
        self._files.remove(gone)


def _upload(bucket: str, row: tuple[str, bytes, int, str]) -> Upload:
    upload_id, key, started, document = row
    template = ObjectVersion.decode((key, started, 0, "", 0, document))
    return Upload(upload_id, bucket, template)
