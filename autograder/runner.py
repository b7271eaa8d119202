"""What runs in the student's process: makes the calls it is told to, and reports what came out.

It knows no expected value and passes no judgement. The grader sends a plan: cases made of steps.
Every case starts with fresh names; a step that raises ends its case. Each step is announced
before it starts, so that a step that never returns can be named.

Started as ``python -I -S -B runner.py PLAN RESULTS`` with two descriptors.
"""

import importlib
import os
import random
import sys
import traceback
import warnings
from typing import Any

FAILED: dict[str, BaseException] = {}  # modules that could not be imported


def main() -> None:
    """Load what the grader trusts, become confined, then follow the plan."""
    plan_descriptor, result_descriptor = int(sys.argv[1]), int(sys.argv[2])
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    with open(plan_descriptor, "rb") as file:
        content = file.read()
    import confine  # the stand-alone modules beside this file

    packages = content.split(b"\n", 1)[0].decode().split("\0")  # needed to import NumPy
    sys.path[1:1] = [path for path in packages if path]
    import channel
    import standins

    frame = content.split(b"\n", 1)[1]
    plan = channel.FrameReader().feed(frame)[0]
    sys.path[0] = plan["scratch"]
    sys.argv[:] = [""]
    report = confine.apply(plan["confinement"], plan["skip"])
    os.chdir(plan["scratch"])
    post = Post(result_descriptor, channel, plan["scratch"])
    post.send(isolation=report)
    for case in plan["cases"]:
        Case(post, channel, standins).run(case)
    post.send(end=True)
    os._exit(0)  # neither exit hooks nor threads have a say after the end


class Post:
    """Writes frames to the grader."""

    def __init__(self, descriptor: int, channel: Any, scratch: str) -> None:
        self.descriptor, self.channel, self.scratch = descriptor, channel, scratch

    def send(self, **header: Any) -> None:
        """Write one frame whole."""
        try:
            data = self.channel.encode(header)
        except (self.channel.ChannelError, RecursionError) as error:
            if "value" not in header:
                raise
            header["value"] = self.channel.Other(f"value that is too large to report ({error})")
            data = self.channel.encode(header)
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def described(self, error: BaseException) -> dict:
        """Return an exception with the lines of the student's own files it passed through."""
        frames = []
        for entry in traceback.extract_tb(error.__traceback__):
            if os.path.dirname(entry.filename) == self.scratch:
                name = os.path.basename(entry.filename)
                frames.append((name, entry.lineno or 0, entry.name[:80], (entry.line or "")[:200]))
        if isinstance(error, SyntaxError):
            name = os.path.basename(error.filename or "")
            frames.append((name, error.lineno or 0, "", (error.text or "").strip()[:200]))
            text = error.msg
        elif isinstance(error, SystemExit):
            text = repr(error.code)
        else:
            text = str(error)
        kind = type(error)
        return {
            "type": kind.__name__[:80],
            "kinds": [base.__name__[:80] for base in kind.__mro__[:6]],
            "text": self.channel.without_paths(text)[:500],
            "name": str(getattr(error, "name", "") or "")[:100],
            "frames": frames[-4:],
        }


class Case:
    """Runs the steps of one case on names of its own."""

    def __init__(self, post: Post, channel: Any, standins: Any) -> None:
        self.post, self.channel, self.standins = post, channel, standins
        self.names: dict[str, Any] = {}

    def run(self, steps: list[dict]) -> None:
        """Run steps until the end or the first that raises."""
        for step in steps:
            self.post.send(begin=step["id"])
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    value, error = self.do(step), None
                except BaseException as raised:  # SystemExit and KeyboardInterrupt too
                    value, error = None, self.post.described(raised)
                told = [
                    (w.category.__name__[:80], self.channel.without_paths(str(w.message))[:200])
                    for w in caught
                ]
            sent = value if step.get("send", True) else None
            self.post.send(id=step["id"], value=sent, error=error, warnings=told[:5])
            if error is not None:
                return

    def do(self, step: dict) -> Any:
        """Do one step and return its value."""
        value = getattr(self, "do_" + step["op"])(step)
        if "as" in step:
            self.names[step["as"]] = value
        if "append_to" in step:
            self.names.setdefault(step["append_to"], []).append(value)
        return value

    def do_import(self, step: dict) -> None:
        name = step["module"]
        if name in FAILED:  # what a second attempt says may be misleading
            raise FAILED[name]
        try:
            self.names[name] = importlib.import_module(name)
        except BaseException as error:
            FAILED[name] = error
            raise

    def do_seed(self, step: dict) -> None:
        random.seed(step["value"])
        sys.modules["numpy"].random.seed(step["value"])
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(step["value"])

    def do_value(self, step: dict) -> Any:
        return self.resolved(step["value"])

    def do_call(self, step: dict) -> Any:
        arguments = [self.resolved(value) for value in step["args"]]
        keywords = {key: self.resolved(value) for key, value in step["kwargs"].items()}
        return self.plain(self.find(step["target"])(*arguments, **keywords), step)

    def do_bare(self, step: dict) -> Any:
        """Make an object; if its constructor raises, one without any attributes."""
        cls = self.find(step["target"])
        try:
            return cls(**{key: self.resolved(value) for key, value in step["kwargs"].items()})
        except Exception:
            return object.__new__(cls)

    def do_get(self, step: dict) -> Any:
        return self.plain(self.find(step["target"]), step)

    def do_set(self, step: dict) -> None:
        owner, _, attribute = step["target"].rpartition(".")
        setattr(self.find(owner), attribute, self.resolved(step["value"]))

    def do_replace(self, step: dict) -> None:
        """Put a stand-in in place of a method; its calls are logged under a name."""
        owner, _, attribute = step["target"].rpartition(".")
        log = self.names.setdefault(step["log"], [])
        thing = self.find(owner)
        setattr(thing, attribute, self.standins.MAKERS[step["standin"]](thing, log))

    def do_trees(self, step: dict) -> list:
        """Make stand-in trees."""
        classes = step["classes"]
        return [self.standins.LinearTree(weights, classes) for weights in step["weights"]]

    def do_repeat(self, step: dict) -> None:
        for _ in range(step["times"]):
            for inner in step["steps"]:
                self.do(inner)

    def do_votes(self, step: dict) -> list:
        """Report what each tree of a forest predicts, on the columns it was given."""
        forest, rows = self.find(step["forest"]), self.find(step["X"])
        chosen = zip(forest.decision_trees, forest.feature_indices, strict=False)
        return [tree.predict(rows[:, columns]) for tree, columns in chosen]

    def do_layers(self, step: dict) -> list:
        """Report the layers of a Keras net, each with its settings but without its name."""
        net = self.find(step["target"])
        if net is None:
            net = self.find(step["otherwise"])
        found = []
        for layer in net.layers:
            config = layer.get_config()
            config.pop("name", None)
            found.append((type(layer).__name__, config))
        return found

    def do_describe(self, step: dict) -> Any:
        return self.description(self.find(step["target"]), step["attributes"], step["children"], 0)

    def do_image(self, step: dict) -> Any:
        """Make a picture of an array of bytes, as torchvision's data sets give it."""
        image = importlib.import_module("PIL.Image")
        return image.fromarray(step["value"])

    def description(self, thing: Any, attributes: list[str], children: str, depth: int) -> dict:
        """Return an object's class and some of its attributes, and the same of its children."""
        found = {}
        for name in attributes:
            value = getattr(thing, name, None)
            packed = self.channel._packed(value, [], 0)
            found[name] = (
                str(value) if isinstance(packed, dict) and packed["t"] == "other" else value
            )
        below = getattr(thing, children, None) if depth < 3 else None
        parts = (
            list(below) if isinstance(below, (list, tuple)) or hasattr(below, "__iter__") else []
        )
        return {
            "class": type(thing).__name__,
            "module": type(thing).__module__,
            "attributes": found,
            "children": [self.description(p, attributes, children, depth + 1) for p in parts[:50]],
        }

    def plain(self, value: Any, step: dict) -> Any:
        """Return a tensor as an array if the value is to be sent."""
        if not step.get("send", True) and "append_to" not in step:
            return value
        if hasattr(value, "detach"):
            return value.detach().cpu().numpy()
        return value.numpy() if hasattr(value, "numpy") else value

    def resolved(self, value: Any) -> Any:
        """Put what a reference names in its place."""
        if isinstance(value, self.channel.Ref):
            return self.find(value.name)
        if isinstance(value, (list, tuple)):
            return type(value)(self.resolved(entry) for entry in value)
        if isinstance(value, dict):
            return {key: self.resolved(entry) for key, entry in value.items()}
        return value

    def find(self, target: str) -> Any:
        """Follow a dotted path, with numbers for entries and brackets for keys."""
        first, *rest = target.split(".")
        thing = self.names[first] if first in self.names else importlib.import_module(first)
        for part in rest:
            if isinstance(thing, dict):
                thing = thing[part]
            else:
                thing = thing[int(part)] if part.isdigit() else getattr(thing, part)
        return thing


if __name__ == "__main__":
    main()
