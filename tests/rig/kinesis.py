"""Makes a Kinesis stream, or reads one to its end; aggregated records are taken apart by aws_kinesis_agg.

    kinesis.py create ENDPOINT STREAM SHARDS
    kinesis.py read ENDPOINT STREAM

Each user record is a line of JSON: `shard`, `sequence` (of the Kinesis record), `key`, `data`, a text, and
whether it was `aggregated`.
"""

import base64
import json
import sys

from aws_kinesis_agg.deaggregator import iter_deaggregate_records
from client import connect


def create(endpoint: str, stream: str, shards: str) -> None:
    """Makes a stream and waits for it."""
    kinesis = connect("kinesis", endpoint)
    kinesis.create_stream(StreamName=stream, ShardCount=int(shards))
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def read(endpoint: str, stream: str) -> None:
    """Prints every user record, shard by shard."""
    kinesis = connect("kinesis", endpoint)
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        name = shard["ShardId"]
        start = kinesis.get_shard_iterator(StreamName=stream, ShardId=name, ShardIteratorType="TRIM_HORIZON")
        position, end = start["ShardIterator"], False
        while not end:
            page = kinesis.get_records(ShardIterator=position, Limit=10_000)
            position, end = page.get("NextShardIterator"), not page["Records"]
            for record in page["Records"]:
                users(name, record)


def users(shard: str, record: dict) -> None:
    """Prints the user records of one record."""
    sequence = record["SequenceNumber"]
    for user in iter_deaggregate_records([record], data_format="Boto3"):
        found = user["kinesis"]
        # What was taken apart is in base64, what was not is as boto3 gave it.
        is_part = found.get("aggregated", False)
        data = base64.b64decode(found["data"]) if is_part else found["data"]
        told = {"shard": shard, "sequence": sequence, "key": found["partitionKey"], "data": data.decode()}
        print(json.dumps({**told, "aggregated": is_part}))


if __name__ == "__main__":
    {"create": create, "read": read}[sys.argv[1]](*sys.argv[2:])
