"""s3.py FOLDER ACTION...: tries S3 calls with Airflow's own credentials; prints the first denied."""

import json
import sys
from urllib.parse import urlsplit


def attempt(client, folder, actions):
    """The first of the actions that fails, with botocore's error; None when all succeed."""
    bucket, prefix = urlsplit(folder).netloc, urlsplit(folder).path.strip("/")
    key = (prefix + "/" if prefix else "") + "dag_id=toolkit_canary/verify.log"
    calls = {
        "s3:ListBucket": lambda: client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1),
        "s3:PutObject": lambda: client.put_object(Bucket=bucket, Key=key, Body=b"toolkit verify\n"),
        "s3:GetObject": lambda: client.get_object(Bucket=bucket, Key=key),
    }
    for action in actions:
        try:
            calls[action]()
        except Exception as error:
            answer = getattr(error, "response", {}).get("Error", {})
            code = answer.get("Code") or type(error).__name__
            if code != "NoSuchKey":
                return {"action": action, "code": code, "text": answer.get("Message") or str(error)}
    return None


if __name__ == "__main__":
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    client = S3Hook(aws_conn_id="aws_default").get_conn()
    print(json.dumps({"failed": attempt(client, sys.argv[1], sys.argv[2:])}))
