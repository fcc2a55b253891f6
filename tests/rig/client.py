"""An AWS client for a local endpoint: made-up credentials, no configuration files, few retries."""

import boto3
from botocore.config import Config


def connect(service: str, endpoint: str):
    """A boto3 client of the service at the endpoint."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(
            # A server on a busy machine takes its time.
            connect_timeout=180,
            read_timeout=180,
            retries={"max_attempts": 2, "mode": "standard"},
            proxies={},
        ),
    )
