"""Reads back every object of a bucket, or makes the bucket: one JSON object a line, in order of key.

    objects.py ENDPOINT BUCKET [create]

Each line has `key`, `content_type`, `storage_class`, `metadata` and `body`, in base64 and as it is stored.
"""

import base64
import json
import sys

from client import connect


def main(endpoint: str, bucket: str, what: str = "") -> None:
    """Prints the objects."""
    s3 = connect("s3", endpoint)
    if what == "create":
        s3.create_bucket(Bucket=bucket)
        return
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            found = s3.get_object(Bucket=bucket, Key=entry["Key"])
            print(json.dumps({
                "key": entry["Key"],
                "content_type": found["ContentType"],
                "storage_class": found.get("StorageClass", ""),
                "metadata": found["Metadata"],
                "body": base64.b64encode(found["Body"].read()).decode(),
            }))


if __name__ == "__main__":
    main(*sys.argv[1:])
