"""Makes a Firehose stream that writes to a bucket, or reads what it wrote.

    firehose.py create ENDPOINT STREAM
    firehose.py read ENDPOINT STREAM

The bucket has the stream's name. What is read is printed as one JSON text a line: each line of each object.
"""

import json
import sys

from client import connect


def create(endpoint: str, stream: str) -> None:
    """Makes the bucket and the stream."""
    connect("s3", endpoint).create_bucket(Bucket=stream)
    role = "arn:aws:iam::123456789012:role/firehose"
    to = {"RoleARN": role, "BucketARN": f"arn:aws:s3:::{stream}"}
    connect("firehose", endpoint).create_delivery_stream(DeliveryStreamName=stream, ExtendedS3DestinationConfiguration=to)


def read(endpoint: str, stream: str) -> None:
    """Prints what arrived. Every object has to end with a line."""
    s3 = connect("s3", endpoint)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=stream):
        for found in page.get("Contents", []):
            body = s3.get_object(Bucket=stream, Key=found["Key"])["Body"].read().decode()
            assert body.endswith("\n"), found["Key"]
            for line in body.split("\n")[:-1]:
                print(json.dumps(line))


if __name__ == "__main__":
    {"create": create, "read": read}[sys.argv[1]](*sys.argv[2:])
