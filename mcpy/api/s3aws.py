"""AWS's own calls: what no other server has, and some take for something else.

``?encryption`` on an object is a call of AWS alone. Other servers pass the query by and store its
body in the place of the object, so it is sent to AWS's hosts and nowhere else.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from mcpy.api.s3calls import content_md5
from mcpy.api.s3info import object_path, version_query
from mcpy.api.s3xml import NAMESPACE
from mcpy.errors import UnsupportedError

if TYPE_CHECKING:
    from mcpy.api.s3 import S3

_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")


def is_aws(s3: S3) -> bool:
    """Whether the server is AWS, by the name of its host and by nothing else."""
    parts = urlsplit(s3.http.base_url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(_HOSTS)


def update_object_encryption(
    s3: S3, bucket: str, key: str, key_arn: str, *, version_id: str = ""
) -> None:
    """Have the data key of an encrypted object wrapped by another KMS key; its bytes stay.

    Raises:
        UnsupportedError: the server is not AWS, where this would destroy the object.
        S3Error: the server refused; so it does for what is not encrypted, or with SSE-C.
    """
    if not is_aws(s3) or not key:
        raise UnsupportedError(f"{s3.http.where} is not AWS: it would store over `{bucket}/{key}`")
    root = ET.Element("ObjectEncryption", xmlns=NAMESPACE)
    kms = ET.SubElement(root, "SSE-KMS")
    ET.SubElement(kms, "KMSKeyArn").text = key_arn
    body = ET.tostring(root)
    headers = {"content-md5": content_md5(body), "content-type": "application/xml"}
    query = [("encryption", ""), *version_query(version_id)]
    path = object_path(bucket, key)
    s3.call("PUT", path, query=query, headers=headers, content=body, repeatable=True)
