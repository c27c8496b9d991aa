"""Installations of Airflow that are not the toolkit's.

Of their configuration only names of options leave the host, and answers to yes-or-no questions.
"""

import configparser
import glob
import os
import pwd
import re
import stat
from urllib.parse import unquote, urlsplit

from toolkit.onhost.lib import read, user_name

OURS = (
    "secrets stand in airflow.env"  # in the first lines of the configuration that the role writes
)
PLACES = ["/opt/airflow", "/usr/local/airflow", "/etc/airflow", "/srv/airflow", "/var/lib/airflow"]
UNITS = ["/etc/systemd/system/*.service", "/usr/local/lib/systemd/system/*.service"]
URLS = [("database", "sql_alchemy_conn"), ("core", "sql_alchemy_conn"),
        ("celery", "broker_url"), ("celery", "result_backend")]  # fmt: skip
SECRETS = [*URLS, ("core", "fernet_key"), ("webserver", "secret_key"), ("api", "secret_key")]


def existing(default_passwords):
    """Every AIRFLOW_HOME with a configuration that the toolkit did not write."""
    found = []
    for home in homes():
        path = os.path.join(home, "airflow.cfg")
        text = read(path)
        if text and OURS not in text:
            found.append(installation(home, path, text, default_passwords))
    return found


def homes():
    """Directories that may be an AIRFLOW_HOME, each once."""
    places = list(PLACES)
    for entry in pwd.getpwall():
        places += [os.path.join(entry.pw_dir, "airflow"), entry.pw_dir]
    for pattern in UNITS:
        for path in glob.glob(pattern):
            places += re.findall(r"AIRFLOW_HOME=([^\s\"']+)", read(path))
    for path in glob.glob("/proc/[0-9]*/environ"):
        places += re.findall(r"(?:^|\0)AIRFLOW_HOME=([^\0]+)", read(path))
    return sorted({os.path.realpath(place) for place in places if os.path.isdir(place)})


def installation(home, path, text, defaults):
    """What there is to say of one."""
    # No interpolation: passwords hold percent signs. Not strict: old files repeat options.
    config = configparser.RawConfigParser(strict=False)
    try:
        config.read_string(text)
    except configparser.Error as error:
        return {"home": home, "problem": str(error).splitlines()[0]}
    urls = [config.get(*name, fallback="") for name in URLS]
    database = next((url for url in urls[:2] if url), "")
    status = os.stat(path)
    return {
        "home": home,
        "owner": user_name(status.st_uid),
        "mode": stat.S_IMODE(status.st_mode),
        "readable": readable(path) and any(config.get(*name, fallback="") for name in SECRETS),
        "executor": config.get("core", "executor", fallback=""),
        "database": database.partition(":")[0].partition("+")[0],
        "default_password": any(default_password(url, defaults) for url in urls),
        "options": sorted("%s.%s" % (s, o) for s in config.sections() for o in config.options(s)),
        "units": units_of(home),
        "stale_pid_files": stale_pid_files(home),
    }


def readable(path):
    """Whether everybody can read a file: its own mode, and those of the directories above."""
    if not os.stat(path).st_mode & stat.S_IROTH:
        return False
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
    return True


def default_password(url, defaults):
    """Whether the password in a URL is one of those that everybody tries, or the user's name."""
    try:
        parts = urlsplit(url.strip())
        password = unquote(parts.password or "").lower()
        return bool(password) and password in [*defaults, unquote(parts.username or "").lower()]
    except ValueError:
        return False


def units_of(home):
    """Names of the systemd units that mention Airflow and this home, or Airflow alone."""
    found = []
    for pattern in UNITS:
        for path in glob.glob(pattern):
            text = read(path)
            mentioned = re.findall(r"AIRFLOW_HOME=([^\s\"']+)", text)
            runs = re.search(r"^ExecStart=.*\bairflow\b", text, re.M)
            ours = "Slice=airflow.slice" in text
            if runs and not ours and (not mentioned or os.path.realpath(mentioned[0]) == home):
                found.append(os.path.basename(path))
    return sorted(found)


def stale_pid_files(home):
    """Pid files of components that are not there any more."""
    found = []
    for path in glob.glob(os.path.join(home, "airflow-*.pid")):
        pid = read(path).strip()
        if not (pid.isdigit() and os.path.exists("/proc/" + pid)):
            found.append(path)
    return sorted(found)
