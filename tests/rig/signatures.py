"""Holds the signatures of recorded requests against those that botocore computes for the same bytes.

    signatures.py FILE

FILE has one JSON object a line: `method`, `path`, `headers` (pairs) and `body` (hexadecimal), as they went over the
wire. Prints a line for each: {"operation": ..., "service": ..., "signed": true or false}; of a request without an
operation, its path.
"""

import hashlib
import json
import re
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = Credentials("testing", "testing")
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=testing/\d{8}/([a-z0-9-]+)/([a-z]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
# What says how the body is to be read, where it is there.
MUST_BE_SIGNED = {
    "x-amz-target", "content-type", "content-encoding", "x-amz-security-token", "x-aws-log-group", "x-aws-log-stream"
}


def main(path: str) -> None:
    """Prints what became of each request."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            print(json.dumps(judge(json.loads(line))))


def judge(sent: dict) -> dict:
    """One request."""
    headers = {name.lower(): value for name, value in sent["headers"]}
    region, service, names, signature = AUTHORIZATION.fullmatch(headers["authorization"]).groups()
    names = names.split(";")
    request = AWSRequest(
        method=sent["method"],
        url=f"http://{headers['host']}{sent['path']}",
        headers={name: headers[name] for name in names},
        data=bytes.fromhex(sent["body"]),
    )
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(KEY, service, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    must = MUST_BE_SIGNED & set(headers) | {"host", "x-amz-date", "x-amz-content-sha256"}
    # botocore takes the body's hash from the header, so the header is held against the body as it was sent.
    hashed = headers["x-amz-content-sha256"] == hashlib.sha256(request.data).hexdigest()
    signed = signature == expected and hashed and must <= set(names)
    operation = headers.get("x-amz-target", sent["path"]).split(".")[-1]
    return {"operation": operation, "service": service, "signed": signed}


if __name__ == "__main__":
    main(*sys.argv[1:])
