"""Public S3 buckets, such as OpenNeuro's: their listing is a manifest with sizes and checksums."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote
from xml.etree import ElementTree

from data_loaders.archives import web
from data_loaders.archives.base import File

ENDPOINT = "https://s3.amazonaws.com"
_SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def listing(bucket: str, prefix: str) -> list[File]:
    """Every object below a prefix, by its path from there. Raises MissingError where there is none.

    ListObjectsV2: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """
    found = list(_objects(bucket, prefix))
    if not found:
        raise web.MissingError(f"s3://{bucket}/{prefix} holds no file: the dataset was moved or renamed")
    return found


def _objects(bucket: str, prefix: str) -> Iterator[File]:
    asked = {"list-type": "2", "prefix": prefix}
    while True:
        page = ElementTree.fromstring(web.get(f"{ENDPOINT}/{bucket}", params=asked).content)
        for item in page.iter(f"{_SPACE}Contents"):
            key = item.findtext(f"{_SPACE}Key", "")
            if not key.endswith("/"):
                size, etag = int(item.findtext(f"{_SPACE}Size", "0")), item.findtext(f"{_SPACE}ETag", "").strip('"')
                yield File(
                    key.removeprefix(prefix).lstrip("/"), f"{ENDPOINT}/{bucket}/{quote(key)}", size, f"etag:{etag}"
                )
        asked["continuation-token"] = page.findtext(f"{_SPACE}NextContinuationToken", "")
        if page.findtext(f"{_SPACE}IsTruncated") != "true":
            return
