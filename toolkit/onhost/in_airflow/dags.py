"""dags.py QUESTION: imports a release of DAGs, says what it found, and stores DAGs when it is told to.

Runs in a sandbox like that of the unit that parses DAGs. It answers in lines of JSON on standard output: {"reading":
FILE} before each file, {"found": ...} when all were read, and {"stored": ...} once the file `go` beside the question
was there and its DAGs are in Airflow's database.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
import traceback

IGNORED = ".airflowignore"
BUNDLE = "deployed"
"""The bundle of deployed DAGs (roles/airflow/filter_plugins/airflow_plan.py)."""
AGAIN = "Ignoring DAG %s from %s - also found in %s"
"""What Airflow says of a DAG that is in two files; of two in one file it says nothing, and takes the last."""
DEPLOYED = "deployed"
"""The link below Airflow's folder of plugins to those of the current release (roles/airflow/tasks/configuration.yml)."""
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


def main(path):
    """All of it."""
    with open(path) as file:
        question = json.load(file)
    # What DAGs and Airflow print goes to standard error.
    answers = os.fdopen(os.dup(1), "w", 1)
    os.dup2(2, 1)

    def say(**answer):
        answers.write(json.dumps(answer) + "\n")

    # As Airflow 3 says that variables and connections are read from the database.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    reader = Reader()
    import airflow_toolkit_releases as releases

    release = releases.folder(question["release"])
    await_path(release, question["patience"])
    releases.use(question["release"])
    use_plugins(release, os.environ["RUNTIME_DIRECTORY"])
    found = reader.read(os.path.join(release, "dags"), lambda file: say(reading=file))
    if question["tests"]:
        say(reading="pytest " + question["tests"])
        found["tests"] = tested(release, question["tests"])
    say(found=found)
    reader.get_ready()
    go = os.path.join(os.path.dirname(path), "go")
    await_path(go, question["patience"])
    with open(go) as file:
        wanted = json.load(file)
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    say(stored=dict(reader.store(question["release"], wanted), since=since))


def await_path(path, seconds):
    """Wait until something is there. Raises SystemExit."""
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise SystemExit("%s did not come within %d s" % (path, seconds))
        time.sleep(0.02)


@contextlib.contextmanager
def alone(root):
    """What the unit has by a process for each file: the next finds nothing that this one imports from the release, or sets."""
    modules, paths = set(sys.modules), list(sys.path)
    environment, place = dict(os.environ), os.getcwd()
    try:
        yield
    finally:
        for name in set(sys.modules) - modules:
            # The file of DAGs itself stays: what is in it may be asked where it is from.
            if is_below(sys.modules[name], root) and not name.startswith("unusual_prefix_"):
                del sys.modules[name]
        sys.path[:] = paths
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(place)


def is_below(module, root):
    """Whether a module is from a folder; one of several folders has a path in place of a file."""
    places = [getattr(module, "__file__", None) or "", *(getattr(module, "__path__", None) or ())]
    return any(str(place).startswith(root + "/") for place in places)


def repeated(dags):
    """Ids that several DAGs have."""
    ids = [dag.dag_id for dag in {id(dag): dag for dag in dags}.values()]
    return sorted({one for one in ids if ids.count(one) > 1})


def use_plugins(release, scratch):
    """Have Airflow load the plugins of a release in place of those that are current; the user's own are as they were."""
    from airflow import settings

    for name in (
        os.listdir(settings.PLUGINS_FOLDER) if os.path.isdir(settings.PLUGINS_FOLDER) else ()
    ):
        if name != DEPLOYED:
            os.symlink(os.path.join(settings.PLUGINS_FOLDER, name), os.path.join(scratch, name))
    if os.path.isdir(release + "/plugins"):
        os.symlink(release + "/plugins", os.path.join(scratch, DEPLOYED))
    settings.PLUGINS_FOLDER = scratch


class Reader:
    """Airflow's own reading of DAGs, of either release line."""

    def __init__(self):
        import airflow
        from airflow.configuration import conf

        self.conf = conf
        self.modern = not airflow.__version__.startswith("2.")
        try:
            from airflow.dag_processing.dagbag import DagBag
        except ImportError:  # Airflow 2, and 3.0
            from airflow.models.dagbag import DagBag
        self.kind = DagBag
        self.bag = None
        self.folder = ""

    def read(self, folder, reading):
        """The DAGs and errors of a folder, and the DAGs that Airflow knows already."""
        self.folder = folder
        self.bag = self._empty_bag()
        errors, dags = {}, {}
        safe = self.conf.getboolean("core", "dag_discovery_safe_mode")
        self._try_ignored(reading)
        files = self._files(safe)
        for path in files:
            name = self._relative(path)
            reading(name)
            try:
                with alone(os.path.dirname(folder)):
                    found = self.bag.process_file(path, only_if_updated=False, safe_mode=safe)
                dags.update({dag.dag_id: name for dag in found})
                for twice in repeated(found):
                    errors[name] = AGAIN % (twice, path, path)
            # One that calls sys.exit() would end this program.
            except BaseException:
                errors[name] = traceback.format_exc(limit=-3)
        reading("")
        errors.update({self._relative(path): text for path, text in self.bag.import_errors.items()})
        errors.update(self._not_serializable(dags, errors))
        return {
            "files": len(files),
            "dags": dags,
            "errors": errors,
            "known": self._known(),
        }

    def get_ready(self):
        """Have what storing DAGs needs, while nobody waits for it."""
        from sqlalchemy.orm import configure_mappers

        if self.modern:
            from airflow.dag_processing import collection  # noqa: F401
        configure_mappers()

    def _empty_bag(self):
        if self.modern:
            from pathlib import Path

            return self.kind(
                self.folder,
                collect_dags=False,
                load_op_links=False,
                bundle_path=Path(self.folder),
                bundle_name=BUNDLE,
            )
        return self.kind(self.folder, include_examples=False, collect_dags=False)

    def _try_ignored(self, reading):
        """Airflow reads these files as text, and what it says of one that is none does not name it."""
        for root, _, files in os.walk(self.folder):
            if IGNORED in files:
                path = os.path.join(root, IGNORED)
                reading(self._relative(path))
                with open(path, encoding="utf-8") as file:
                    file.read()
        reading("")

    def _files(self, safe):
        from airflow.utils.file import list_py_file_paths

        more = {} if self.modern else {"include_examples": False}
        return sorted(str(path) for path in list_py_file_paths(self.folder, safe_mode=safe, **more))

    def _relative(self, path):
        return os.path.relpath(path, self.folder) if os.path.isabs(str(path)) else str(path)

    def _not_serializable(self, dags, errors):
        """DAGs that Airflow imports and cannot store: it reports them as import errors as well."""
        found = {}
        for dag_id, dag in self.bag.dags.items():
            if dags.get(dag_id) not in errors:
                try:
                    self._serialized(dag)
                except Exception:
                    found[dags.get(dag_id, dag_id)] = traceback.format_exc(limit=-1)
        return found

    def _serialized(self, dag):
        if self.modern:
            from airflow.serialization.serialized_objects import LazyDeserializedDAG

            return LazyDeserializedDAG.from_dag(dag)
        from airflow.serialization.serialized_objects import SerializedDAG

        return SerializedDAG.to_dict(dag)

    def _known(self):
        """Each DAG that Airflow has and does not call gone, with how many of its runs are unfinished."""
        from airflow import settings
        from sqlalchemy import text

        columns, there = "'', fileloc", "is_active"
        if self.modern:
            columns, there = "bundle_name, relative_fileloc", "NOT is_stale"
        with contextlib.closing(settings.Session()) as session:
            runs = dict(
                map(tuple, session.execute(text(
                    "SELECT dag_id, count(*) FROM dag_run WHERE state IN ('queued', 'running') GROUP BY dag_id"
                )))
            )  # fmt: skip
            rows = session.execute(text("SELECT dag_id, %s FROM dag WHERE %s" % (columns, there)))
            return [
                {"dag": dag, "bundle": bundle, "file": file or "", "runs": runs.get(dag, 0)}
                for dag, bundle, file in map(tuple, rows)
            ]

    def store(self, release, wanted):
        """Write DAGs of some files into Airflow's database; how many these were.

        `wanted` has "files", and "removed", ids of DAGs that are gone.
        """
        import airflow_toolkit_releases as releases

        for dag_id, dag in list(self.bag.dags.items()):
            name = self._relative(dag.fileloc)
            if name not in wanted["files"]:
                del self.bag.dags[dag_id]
            elif not self.modern:  # where it finds the DAGs of a release that is current
                dag.fileloc = os.path.join(releases.CURRENT, name)
        # The unit that parses DAGs may register the same new DAG at that moment: one of the two fails.
        for left in (2, 1, 0):
            try:
                (self._store_3 if self.modern else self._store_2)(release, wanted["removed"])
                break
            except Exception:
                if not left:
                    raise
                time.sleep(0.5)
        return {"dags": len(self.bag.dags)}

    def _store_3(self, release, _removed):
        try:
            from airflow.dag_processing.dagbag import sync_bag_to_db
        except ImportError:
            from airflow.models.dagbag import sync_bag_to_db

        # With FAB's, Airflow makes a right for each DAG and action, in 80 ms a DAG (measured, 3.3.2). The unit that
        # parses DAGs does that whenever it parses one, and so for these in a moment.
        os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = SIMPLE
        # The bundle's refresh takes away DAGs whose files are gone.
        sync_bag_to_db(self.bag, BUNDLE, release)

    def _store_2(self, _release, removed):
        from airflow.models import DagModel
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.session import create_session

        self.bag.sync_to_db(processor_subdir=self.conf.get("core", "dags_folder"))
        with create_session() as session:
            for dag_id in removed:
                SerializedDagModel.remove_dag(dag_id, session=session)
                session.query(DagModel).filter(DagModel.dag_id == dag_id).update(
                    {"is_active": False}
                )


def tested(release, path):
    """How pytest ended on a path of the release: its exit status and its output, with a database of its own."""
    import subprocess

    from airflow import settings

    with tempfile.TemporaryDirectory(prefix="airflow-toolkit-tests-") as scratch:
        environment = dict(
            os.environ,
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="sqlite:///%s/airflow.db" % scratch,
            AIRFLOW__CORE__PLUGINS_FOLDER=settings.PLUGINS_FOLDER,
            PYTHONDONTWRITEBYTECODE="1",
        )
        prepared = [sys.executable, "-m", "airflow", "db", "migrate"]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            release,
            path,
        ]
        for words in (prepared, command):
            done = subprocess.run(
                words,
                cwd=release,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if done.returncode:
                break
        text = done.stdout.decode("utf-8", "replace")
        return {"status": done.returncode, "output": text[-4000:]}


if __name__ == "__main__":
    main(sys.argv[1])
