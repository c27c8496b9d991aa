#!/usr/bin/python3
"""Examines what the metadata database holds, before anything is written that has to fit it.

Run by an environment's Python, by the role and by `toolkit check`. Reads a JSON question from standard
input (secrets are never in an argument vector), prints a JSON answer, and changes nothing. The question:
url of the database and ca (PEM) of its server; fernet_key, that is to be written; users, that are
wanted, with a password where it is to be compared; inventory, the directory, for messages. With
version, that is to be installed, runs, the one that is, and allowed, it also validates the change of
version by the migrations of the environment; with own it may take the URL in airflow.env. Drivers are used directly: SQLAlchemy takes longer to import
than all the rest.
"""

import hashlib
import hmac
import importlib.util
import json
import os
import pathlib
import pwd
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, unquote, urlsplit

ENVIRONMENT = "/etc/airflow/airflow.env"
KEY, URL = "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
CA = "/etc/airflow/metadata_db_ca.pem"
"""Of the server in use, if its certificate is verified by one."""
UPGRADE = "/usr/local/lib/airflow-toolkit/upgrade.json"
PREPARED = "/var/lib/airflow/.schema"
SHOWN = 5
"""Names in a sentence."""
FILES = 10
"""Files of DAGs that are reported one by one."""
SAID = 300
"""Letters of an error."""
BUNDLES = {"dags-folder": "/var/lib/airflow/dags/"}
"""Where a bundle of DAGs is; of others the path within it has to do."""

SEALED = {
    "connection": "SELECT conn_id, password, is_encrypted, extra, is_extra_encrypted FROM connection",
    "variable": "SELECT {q}key{q}, val, is_encrypted FROM variable",
    "trigger": "SELECT id, kwargs, 1 FROM {q}trigger{q}",
}
"""Table -> name, then pairs of what may be encrypted and whether it is."""
USERS = "SELECT id, username, email, password, first_name, last_name FROM ab_user"
ADMINS = "SELECT ur.user_id FROM ab_user_role ur JOIN ab_role r ON r.id = ur.role_id WHERE r.name = 'Admin'"
IMPORT_ERRORS = "SELECT * FROM import_error ORDER BY filename"
SIZE = {
    "postgres": "SELECT pg_database_size(current_database())",
    "mysql": "SELECT sum(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()",
}


class Database:
    """A connection that asks."""

    def __init__(self, url, ca):
        self.kind = urlsplit(url).scheme.partition("+")[0].replace("postgresql", "postgres")
        self.connection = self._connect(urlsplit(url), url, ca)
        self.quote = '"' if self.kind == "postgres" else "`"
        schema = "current_schema()" if self.kind == "postgres" else "DATABASE()"
        self.tables = {row[0] for row in self.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = " + schema
        )}  # fmt: skip

    def _connect(self, parts, url, ca):
        login = {
            "host": parts.hostname,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "connect_timeout": 10,
        }
        name = unquote(parts.path[1:])
        if parts.scheme in ("postgresql", "postgresql+psycopg2"):
            import psycopg2

            login.update(parse_qsl(parts.query))
            if ca:
                login.update(sslmode="verify-full", sslrootcert=ca)
            return psycopg2.connect(port=parts.port or 5432, dbname=name, **login)
        if not parts.query and parts.scheme in ("mysql", "mysql+mysqldb", "mysql+pymysql"):
            if parts.scheme.endswith("pymysql"):
                from pymysql import connect
            else:
                from MySQLdb import connect
            return connect(port=parts.port or 3306, database=name, **login)
        import sqlalchemy  # which knows every parameter of every driver

        return sqlalchemy.create_engine(url).raw_connection()

    def rows(self, query):
        """The rows of a query."""
        cursor = self.connection.cursor()
        cursor.execute(query.format(q=self.quote) if "{q}" in query else query)
        return cursor.fetchall()

    def records(self, query):
        """The rows of a query as dicts, for tables whose columns differ between releases."""
        cursor = self.connection.cursor()
        cursor.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# The Fernet key


def keys_of(text):
    """The keys, the first of which encrypts, as Airflow reads them. Raises ValueError."""
    from cryptography.fernet import Fernet

    return [Fernet(key.strip()) for key in text.split(",") if key.strip()]


def undecryptable(database, keys):
    """Table -> names of what no key decrypts, and how many values some key does."""
    from cryptography.fernet import InvalidToken, MultiFernet

    def opens(token):
        try:
            MultiFernet(keys).decrypt(token.encode())
        except InvalidToken:
            return False
        return True

    closed, opened = {}, 0
    for table in sorted(set(SEALED) & database.tables):
        for name, *values in database.rows(SEALED[table]):
            # Kwargs of triggers are encrypted, but for those that an old migration left as JSON.
            tokens = [text for text, sealed in zip(values[::2], values[1::2], strict=True)
                      if text and sealed and not (table == "trigger" and text.startswith("{"))]  # fmt: skip
            held = [token for token in tokens if keys and opens(token)]
            opened += len(held)
            if len(held) < len(tokens):
                closed.setdefault(table, []).append(str(name))
    return closed, opened


def fernet_problems(database, question, written):
    """A key that cannot read what is stored. The key that is in use already is no new harm."""
    try:
        keys = keys_of(question["fernet_key"])
    except ValueError:
        return [problem("database.fernet_key", "error", "airflow_fernet_key is not a Fernet key",
                        "32 bytes in URL-safe base64, or several with commas between")]  # fmt: skip
    closed, opened = undecryptable(database, keys)
    if not closed:
        return []
    found = [f"{len(names)} {table}{'s' * (len(names) > 1)} ({shown(names)})" for table, names in closed.items()]  # fmt: skip
    known = opened and written == question["fernet_key"]
    return [
        problem(
            "database.fernet_key",
            "warning" if known else "error",
            f"airflow_fernet_key does not decrypt {listed(found)} in the metadata database",
            f"the key that encrypted them: toolkit secrets recover -i {question['inventory']} takes it from the hosts; "
            "to change keys: airflow_fernet_key: NEW,OLD, then airflow rotate-fernet-key",
        )
    ]


# Users


class Users:
    """Wanted users compared with those that there are."""

    def __init__(self, database, wanted):
        self.wanted = wanted
        self.there = {}
        self.former = []
        # MySQL's collation takes letters of either case for the same; PostgreSQL does not.
        self.fold = str.lower if database.kind == "mysql" else str
        if not {"ab_user", "ab_user_role", "ab_role"} <= database.tables:
            return
        admins = {row[0] for row in database.rows(ADMINS)}
        names = {user["username"].lower() for user in wanted}
        for number, username, email, password, first, last in database.rows(USERS):
            self.there[username.lower()] = (username, email, password)
            # As this role makes them.
            if number in admins and first == last == username and username.lower() not in names:
                self.former.append(username)

    def missing(self):
        """Those to create; Airflow compares names without regard to case."""
        return [user for user in self.wanted if user["username"].lower() not in self.there]

    def problems(self, inventory):
        """What would fail, what is left as it is, and who is named no longer."""
        delete = f"toolkit airflow -i {inventory} -- users delete --username"
        owners = {self.fold(email): username for username, email, _ in self.there.values()}
        for user in self.missing():
            owner = owners.get(self.fold(user["email"]))
            if owner:
                yield problem(
                    "database.user_email",
                    "error",
                    f"user {user['username']} is to be created with the e-mail address {user['email']}, "
                    f"which user {owner} has",
                    f"give one of them another address in the settings, or delete the other: {delete} {owner}",
                )
        for user in self.wanted:
            _, email, _ = self.there.get(user["username"].lower(), ("", user["email"], ""))
            if self.fold(email) != self.fold(user["email"]):
                yield problem(
                    "database.user_differs",
                    "note",
                    f"user {user['username']} has the e-mail address {email}, the settings say {user['email']}",
                    "change it in the web UI, or in the settings; a provision leaves it",
                )
        for username in self.former:
            yield problem(
                "database.former_admin",
                "note",
                f"user {username} has role Admin, and the settings no longer name it",
                f"{delete} {username}",
            )

    def outdated(self):
        """Names of users whose stored password is not the wanted one."""
        compared = [(user["username"], stored, user["password"]) for user in self.wanted
                    if user.get("password")
                    for _, _, stored in [self.there.get(user["username"].lower(), ("", "", ""))]
                    if stored]  # fmt: skip
        with ThreadPoolExecutor(4) as pool:
            same = list(pool.map(lambda entry: has_password(*entry[1:]), compared))
        return [entry[0] for entry, equal in zip(compared, same, strict=True) if not equal]


def has_password(stored, password):
    """What werkzeug.security.check_password_hash says, without its import."""
    method, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    kind, *options = method.split(":")
    data, salt_ = password.encode(), salt.encode()
    if kind == "scrypt":
        n, r, p = map(int, options or (32768, 8, 1))
        made = hashlib.scrypt(data, salt=salt_, n=n, r=r, p=p, maxmem=132 * n * r * p)
    elif kind == "pbkdf2" and len(options) == 2:
        made = hashlib.pbkdf2_hmac(options[0], data, salt_, int(options[1]))
    else:
        from werkzeug.security import check_password_hash

        return check_password_hash(stored, password)
    return hmac.compare_digest(made.hex(), digest)


# Versions


def migrations():
    """All revisions of the schema that this environment's Airflow knows, and the newest of them."""
    spec = importlib.util.find_spec("airflow")
    folder = pathlib.Path(spec.origin).parent / "migrations/versions"
    known, before = set(), set()
    for path in folder.glob("*.py"):
        for down, value in re.findall(r"^(down_)?revision\b[^=\n]*=(.*)$", path.read_text(), re.M):
            (before if down else known).update(re.findall(r"[\"'](\w+)[\"']", value))
    return known, known - before


def schema_state(schema):
    """Of the database, for this environment's Airflow: missing, current, older or unknown."""
    known, newest = migrations()
    if not schema:
        return "missing"
    if set(schema) == newest:
        return "current"
    return "older" if set(schema) <= known else "unknown"


def version_problems(question, state, schema, upgrade):
    """A schema that is not this version's, unless an older one may be migrated."""
    version, runs = question["version"], question["runs"]
    if state == "unknown":
        yield problem("versions.unknown_schema", "error",
                      f"the database has the schema {listed(schema)}, which Airflow {version} does not know"
                      + (f"; Airflow {runs} runs" if runs else ""), way_back(question, upgrade))  # fmt: skip
    elif not question["allowed"] and state == "older":
        yield problem("versions.older_schema", "error",
                      f"the database has the schema {listed(schema)} of an older release than Airflow {version}",
                      f"toolkit provision -i {question['inventory']} --allow-upgrade dumps and migrates it "
                      "(with the roles alone: -e airflow_allow_upgrade=true)")  # fmt: skip


def way_back(question, upgrade):
    """How to get to an older release."""
    if upgrade.get("former") == question["version"] and upgrade.get("dump"):
        return f"restore the dump {upgrade['dump']} as docs/upgrades.md says, or set airflow_version: {upgrade['to']}"
    return "restore a dump of that release as docs/upgrades.md says, or set airflow_version to the one that runs"


# DAGs


def import_problems(database, state):
    """The files of DAGs that the Airflow which runs could not import, the first of them."""
    if state != "current" or "import_error" not in database.tables:
        return
    found = [located(entry) for entry in database.records(IMPORT_ERRORS)]
    for place, said in found[:FILES]:
        yield problem("database.import_error", "warning", f"{place} cannot be imported: {said}",
                      "correct the file, or have what it imports installed (airflow_requirements); "
                      "Airflow reads it again by itself")  # fmt: skip
    if found[FILES:]:
        yield problem("database.import_error", "warning",
                      f"{len(found) - FILES} more files of DAGs cannot be imported",
                      "the web UI lists all of them, and toolkit airflow -- dags list-import-errors")  # fmt: skip


def located(entry):
    """Path with line, and last words, of an import error; Airflow 3 has the path within its bundle."""
    name, said = entry["filename"] or "?", (entry["stacktrace"] or "").rstrip()
    path = name if name.startswith("/") else BUNDLES.get(entry.get("bundle_name"), "") + name
    frames = re.findall(r'File "([^"]*)", line (\d+)', said)
    # Frames of what the file imports come after its own; Airflow keeps the last two alone.
    own = [line for file, line in frames if file.endswith(name)]
    place = f"{path}:{own[-1]}" if own else path
    words = [one.strip() for one in said.splitlines() if one.strip()] or ["no reason given"]
    elsewhere = "" if own or not frames else " ({}:{})".format(*frames[-1])
    return place, words[-1][:SAID] + elsewhere


# The answer


def problem(id, severity, what, fix):
    """What is wrong, as a finding has it."""
    return {"id": id, "severity": severity, "what": what, "fix": fix}


def listed(names):
    """Names as a sentence has them."""
    *most, last = [str(name) for name in names]
    return f"{', '.join(most)} and {last}" if most else last


def shown(names):
    """The first names."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def text_of(path):
    """A file's text, "" where there is none."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def written():
    """Key and URL that are in use, exactly as templates/airflow.env.j2 writes them."""
    quoted = re.findall(r'^(\w+)="((?:[^"\\]|\\.)*)"$', text_of(ENVIRONMENT), re.M | re.S)
    found = {name: re.sub(r"\\(.)", r"\1", value, flags=re.S) for name, value in quoted}
    return found.get(KEY, ""), found.get(URL, "")


def become_airflow():
    """Root is needed for the files alone."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("airflow")
        os.initgroups("airflow", user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.environ["HOME"] = user.pw_dir  # libpq looks for certificates there


def is_absent(error):
    """Whether a server says that there is no such database: PostgreSQL's 3D000, MySQL's 1049."""
    said = str(error.args[-1] if error.args else error)
    return getattr(error, "args", ())[:1] == (1049,) or bool(
        re.search('database ".*" does not exist', said)
    )


def has_schema(database):
    """Whether a database is Airflow's."""
    return "alembic_version" in database.tables


def opened(url):
    """The database that a URL in use leads to; None where it cannot be reached."""
    try:
        return Database(url, CA if os.path.exists(CA) else "")
    except Exception:  # whatever a driver raises
        return None


def connected(question, url, ca):
    """The wanted database, whether it was reached, and whether the data are in another one.

    With `own` it is the one in use where the wanted one cannot be reached: before a provision that
    is to set a password, or to have the server listen.
    """
    other = url not in ("", question["url"])
    try:
        wanted = Database(question["url"], ca)
    except Exception as error:
        used = opened(url) if other else None
        moved = is_absent(error) and used is not None and has_schema(used)
        if used is None or not (moved or question.get("own")):
            raise
        return used, False, moved
    if not other or has_schema(wanted):
        return wanted, True, False
    used = opened(url)
    # One that is down may have data; not the same one under another password.
    moved = has_schema(used) if used else place(url) != place(question["url"])
    return wanted, True, moved


def place(url):
    """Where a database is, without the login."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.path.lstrip('/')} on {parts.hostname or 'this host'}{port}"


def moved_problem(question, url):
    """The settings name a database that holds nothing of Airflow's, and the one in use does."""
    return problem("database.moved", "error",
                   f"the settings name the database {place(question['url'])}, which holds nothing of "
                   f"Airflow's; what is installed uses {place(url)}, and its data would be missing",
                   "name that one again, or copy the data first: docs/upgrades.md, Moving the database")  # fmt: skip


def examine(question):
    """The answer to a question."""
    (key, url), upgrade = written(), json.loads(text_of(UPGRADE) or "{}")
    become_airflow()
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca:
        ca.write(question["ca"])
        ca.flush()
        path = ca.name if question["ca"] else ""
        database, reached, moved = connected(question, url, path)
    rows = database.rows("SELECT version_num FROM alembic_version") if has_schema(database) else []
    schema = sorted(row[0] for row in rows)
    state = schema_state(schema)
    users = Users(database, question["users"])
    problems = fernet_problems(database, question, key) + list(
        users.problems(question["inventory"])
    )
    problems += [moved_problem(question, url)] if moved else []
    problems += import_problems(database, state)
    if "version" in question:
        problems += version_problems(question, state, schema, upgrade)
    outdated = users.outdated()
    prepared = text_of(PREPARED) == json.dumps([pathlib.Path(sys.prefix).name, schema])
    return {
        "state": state,
        "reached": reached,
        "schema": schema,
        "problems": problems,
        "outdated": outdated,
        "prepare": bool(
            state != "current"
            or not prepared
            or users.missing()
            or outdated
            or lacks_connection(database, question)
        ),
        "bytes": int(database.rows(SIZE[database.kind])[0][0] or 0),
        "upgrade": upgrade,
    }


def lacks_connection(database, question):
    """Whether the example DAGs are shown and the connection is missing that they read files by."""
    return question.get("examples") and not database.rows(
        "SELECT id FROM connection WHERE conn_id = 'fs_default'"
    )


def answer(question):
    """The answer, or why there is none, without a secret in it."""
    in_use = bool(written()[1])
    try:
        return dict(examine(question), in_use=in_use)
    except Exception as error:
        said = str(error.args[-1] if error.args else error).strip()
        if is_absent(error):  # one that is yet to be created holds nothing
            return {"state": "missing", "reached": True, "in_use": in_use, "schema": [], "problems": [],
                    "outdated": [], "prepare": True, "bytes": 0, "upgrade": {}}  # fmt: skip
        hidden = urlsplit(question["url"]).password or ""
        for secret in (hidden, unquote(hidden), question["fernet_key"]):
            said = said.replace(secret, "********") if secret else said
        cause = (said.splitlines() or ["no reason given"])[0]
        found = problem("database.unreadable", "error",
                        f"the metadata database cannot be examined: {type(error).__name__}: {cause}",
                        "start the server, or correct what its URL is made of")  # fmt: skip
        return {"in_use": in_use, "problems": [found]}


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
