"""Writes with boto3 what the rig's own test reads back: a reference client to try the recording proxy with.

    put.py ENDPOINT GROUP STREAM NAMESPACE

COUNT events of every kind of text into the stream, then enough metrics that boto3 compresses them (10,240 bytes).
"""

import sys
import time

from client import connect

COUNT = 300


def main(endpoint: str, group: str, stream: str, namespace: str) -> None:
    """Writes the events and the metrics."""
    logs, cloudwatch = connect("logs", endpoint), connect("cloudwatch", endpoint)
    logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now_ms = int(time.time() * 1000)
    events = [{"timestamp": now_ms + n, "message": f"{n} \"quoted\"\n\tü 😀"} for n in range(COUNT)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    data = [datum(n) for n in range(COUNT)]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def datum(n: int) -> dict:
    """One of ten series, with four samples."""
    dimensions = [{"Name": "Series", "Value": str(n % 10)}]
    return {"MetricName": "tried", "Dimensions": dimensions, "Values": [1, n], "Counts": [3, 1], "Unit": "Count"}


if __name__ == "__main__":
    main(*sys.argv[1:])
