"""Waits for the end of cloud-init."""

import subprocess


def main(payload):
    """Return {"status": "done" | "error" | "none", "detail": what cloud-init says}."""
    try:
        done = subprocess.run(
            ["cloud-init", "status", "--wait", "--long"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=payload["timeout"],
        )
    except OSError:
        return {"status": "none", "detail": ""}
    except subprocess.TimeoutExpired:
        return {"status": "error", "detail": "it has not ended"}
    said = done.stdout.decode("utf-8", "replace").strip()
    # 2: it recovered from errors, such as a deprecated key.
    return {"status": "done" if done.returncode in (0, 2) else "error", "detail": said}
