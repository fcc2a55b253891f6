"""Reads back every metric of a namespace: one JSON object a line, in order of name and dimensions.

    metrics.py ENDPOINT NAMESPACE [DAYS]

Each line has `name`, `dimensions` (an object), `unit` and the statistics `sum`, `count`, `min` and `max` over
DAYS around now (14 back unless told, and 1 ahead). A metric that was sent under two units makes two lines.
"""

import datetime
import json
import sys

from client import connect

STATISTICS = ["Sum", "SampleCount", "Minimum", "Maximum"]
# GetMetricStatistics returns 1,440 points at most: whole hours stay below that for up to 59 days.
PERIOD_SECONDS = 3600


def main(endpoint: str, namespace: str, days: str = "14") -> None:
    """Prints the metrics."""
    cloudwatch = connect("cloudwatch", endpoint)
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace)
    found = [metric for page in pages for metric in page["Metrics"]]
    lines = [line for metric in found for line in read(cloudwatch, namespace, metric, int(days))]
    for line in sorted({json.dumps(line, sort_keys=True) for line in lines}):
        print(line)


def read(cloudwatch, namespace: str, metric: dict, days: int) -> list:
    """The statistics of one series, one line for each unit."""
    now = datetime.datetime.now(datetime.timezone.utc)
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric["MetricName"],
        Dimensions=metric["Dimensions"],
        StartTime=(now - datetime.timedelta(days=days)).replace(minute=0, second=0, microsecond=0),
        EndTime=now + datetime.timedelta(days=1),
        Period=PERIOD_SECONDS,
        Statistics=STATISTICS,
    )["Datapoints"]
    # Of a datum that named no unit moto names none; CloudWatch says "None".
    by_unit = {}
    for point in points:
        by_unit.setdefault(point.get("Unit", "None"), []).append(point)
    return [total(metric, unit, by_unit[unit]) for unit in sorted(by_unit)]


def total(metric: dict, unit: str, points: list) -> dict:
    """One series under one unit, its points taken together."""
    return {
        "name": metric["MetricName"],
        "dimensions": {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]},
        "unit": unit,
        "sum": sum(point["Sum"] for point in points),
        "count": sum(point["SampleCount"] for point in points),
        "min": min(point["Minimum"] for point in points),
        "max": max(point["Maximum"] for point in points),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
