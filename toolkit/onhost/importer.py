"""Imports modules from their texts: the head of every program that is sent (see bundle.py)."""

import sys
from importlib.machinery import ModuleSpec


class Importer:
    """Finds the modules of `sources` (name -> text), and the packages above them, which are empty."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, _path=None, _target=None):
        """Called by Python for each import."""
        package = any(other.startswith(name + ".") for other in self.sources)
        if package or name in self.sources:
            return ModuleSpec(name, self, is_package=package)
        return None

    def create_module(self, _spec):
        """None: an ordinary module."""

    def exec_module(self, module):
        """Run a module's text; its path in the toolkit is what tracebacks name."""
        name = module.__spec__.name
        path = name.replace(".", "/") + ".py"
        exec(compile(self.get_source(name), path, "exec"), module.__dict__)

    def get_source(self, name):
        """A module's text."""
        return self.sources.get(name, "")


def install(sources):
    """Let Python import `sources`, before whatever the host has by that name."""
    sys.meta_path.insert(0, Importer(sources))
