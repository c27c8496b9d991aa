"""Whether the Celery broker answers, where it is Redis; with Airflow's own client."""

import json
import os

CONNECTION = "AIRFLOW__CELERY__BROKER_URL"


def main():
    """An empty error when it answers."""
    from redis import Redis
    from redis.exceptions import AuthenticationError, ConnectionError, ResponseError

    # Celery has words of its own for how TLS is verified.
    url = os.environ[CONNECTION].partition("?")[0]
    try:
        Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3).ping()
    except (AuthenticationError, ResponseError):
        pass  # it answers; whether it lets Celery in is for `verify`
    except ConnectionError as error:
        # Celery may have a CA or a certificate of its own for it.
        if "CERTIFICATE" not in str(error).upper() and "SSL" not in str(error).upper():
            raise
    return {"error": ""}


if __name__ == "__main__":
    print(json.dumps(main()))
