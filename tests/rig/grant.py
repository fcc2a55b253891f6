"""Makes a user and a role that may write metrics and logs, and prints keys of both: for a moto that verifies.

    grant.py ENDPOINT

Takes 6 actions with made-up keys: a moto that was started with INITIAL_NO_AUTH_ACTION_COUNT=6 lets these pass and
verifies from the next on. Prints a line for each: {"key": ..., "secret": ..., "token": ... or null}.
"""

import json
import sys

from client import connect

# AWS calls the action cloudwatch:PutMetricData; moto (5.2.5) takes the name from the signature's service.
ALLOWED = {"Effect": "Allow", "Action": ["monitoring:PutMetricData", "logs:*"], "Resource": "*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}


def policy(statement: dict) -> str:
    """A policy of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def main(endpoint: str) -> None:
    """Makes them and prints their keys."""
    iam, sts = connect("iam", endpoint), connect("sts", endpoint)
    iam.create_user(UserName="ops")
    iam.put_user_policy(UserName="ops", PolicyName="write", PolicyDocument=policy(ALLOWED))
    keys = iam.create_access_key(UserName="ops")["AccessKey"]
    role = iam.create_role(RoleName="ops", AssumeRolePolicyDocument=policy(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="ops", PolicyName="write", PolicyDocument=policy(ALLOWED))
    lent = sts.assume_role(RoleArn=role, RoleSessionName="ops")["Credentials"]
    for one in [keys, lent]:
        told = {"key": one["AccessKeyId"], "secret": one["SecretAccessKey"], "token": one.get("SessionToken")}
        print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
