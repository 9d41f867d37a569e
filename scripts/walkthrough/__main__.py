"""Run the demo: `python -m walkthrough [--target NAME] [--keep]`."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import typing as t
from collections import Counter

from tap_analytics.demo import DemoApi
from tap_analytics.demo.tap_config import variables
from walkthrough.loaders import opened
from walkthrough.project import ROOT, Project, StepError, alone
from walkthrough.screen import Screen

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from walkthrough.loaders import Loader

QUESTION = "Which customers left although their users finished courses?"
EXPLANATION = "success has the customers, learning the courses; e-mail addresses join them"
COLUMNS = ("customer", "left on", "people", "courses finished")
QUERY = """\
SELECT a.name, substr(CAST(a."churnedAt" AS varchar(30)), 1, 10) AS left_on,
       count(DISTINCT p.id) AS people, count(*) AS finished
  FROM {schema}.success_accounts a
  JOIN {schema}.success_users u ON {account} = a.id
  JOIN {schema}.learning_people p ON lower(p.email) = lower(u.email)
  JOIN {schema}.learning_course_enrollments e ON e.person_id = p.id
 WHERE a."churnedAt" IS NOT NULL AND e.progress = 100
 GROUP BY a.name, a."churnedAt"
 ORDER BY finished DESC, a.name
 LIMIT 5"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all steps; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument(
        "--target", choices=("postgres", "postgres-copy", "jsonl", "duckdb"), default="postgres"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave everything running until Ctrl-C, to look around"
    )
    parser.add_argument(
        "--all", action="store_true", help="load the streams beyond the specifications too"
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen = Screen()
    try:
        run(screen, target=options.target, keep=options.keep, every=options.all)
    except OSError as error:
        screen.say(f"\nerror: {error.filename or 'The demo'}: {error.strerror}", style="red")
        return 1
    except StepError as error:
        screen.say(f"\nerror: {error}", style="red")
        return 1
    except KeyboardInterrupt:
        screen.say("\nStopped.")
        return 130
    return 0


def run(screen: Screen, *, target: str, keep: bool, every: bool) -> None:
    """Start the APIs and the target, load, query, change the data and load again."""
    screen.say("\nFive APIs on this machine, loaded by one Meltano project\n", style="bold")
    with contextlib.ExitStack() as stack:
        stack.enter_context(alone())
        with screen.step("Demo APIs") as step:
            api = stack.enter_context(DemoApi())
            step.detail = api.url
        with screen.step("Destination") as step:
            loader = stack.enter_context(opened(target))
            step.detail = loader.place
        project = Project(
            loader=loader.name,
            settings={**variables(api.config), **loader.env, **selection(api, every=every)},
            secrets=loader.secrets,
        )
        with screen.step("Plugins") as step:
            project.install(step)
        with screen.step(project.command) as step:
            first = project.run(step)
        show_tables(screen, loader.counts(), read=sum(first.values()))
        show_answer(screen, loader)
        next_day(screen, api=api, loader=loader, project=project, first=first)
        if keep:
            wait(screen, loader=loader, project=project)
    screen.say(
        f"Everything is stopped. Meltano's log is {project.log.relative_to(ROOT)}.", style="dim"
    )


def selection(api: DemoApi, *, every: bool) -> dict[str, str]:
    """Return the variable that selects every stream; none for those that are by default."""
    rules = ["*.*", *(f"{stream}.*" for stream in api.extra_streams)]
    return {"TAP_ANALYTICS__SELECT": json.dumps(rules)} if every else {}


def show_tables(screen: Screen, tables: Mapping[str, int], *, read: int) -> None:
    """Show the number of rows of each table."""
    screen.say()
    rows, before = [], ""
    for name, count in tables.items():
        api, _, table = name.partition("_")
        rows.append((api if api != before else "", table, count))
        before = api
    screen.table(rows, head=("API", "table", "rows"))
    total = sum(tables.values())
    twins = f"; {read - total} of those read had the key of another" if read > total else ""
    screen.say(f"\n    {len(tables)} tables, {total:,} rows{twins}\n", style="dim")


def show_answer(screen: Screen, loader: Loader) -> None:
    """Show a query that joins two APIs, and its result."""
    sql = QUERY.format(
        schema=loader.schema, account=loader.first.format(column="u.accounts", key="id")
    )
    screen.say(f"  {QUESTION}", style="bold")
    screen.say(f"  {EXPLANATION}\n", style="dim")
    for line in sql.splitlines():
        screen.say(f"    {line}", style="dim")
    screen.say()
    screen.table(loader.query(sql), head=COLUMNS)
    screen.say()


def next_day(
    screen: Screen, *, api: DemoApi, loader: Loader, project: Project, first: Mapping[str, int]
) -> None:
    """Simulate a day of changes and run again; streams whose API filters read only the changes."""
    edits = Counter(stream.partition("_")[0] for stream, keys in api.mutate().items() for _ in keys)
    total = sum(loader.counts().values())
    counts = ", ".join(f"{api_name} {rows}" for api_name, rows in sorted(edits.items()))
    screen.say("  A day of changes", style="bold")
    screen.say(f"  {edits.total()} rows are changed or new: {counts}\n", style="dim")
    with screen.step(project.command) as step:
        second = project.run(step)
    partial = sum(rows < first.get(stream, 0) for stream, rows in second.items())
    screen.say(
        f"    incremental: {sum(second.values()):,} rows instead of {sum(first.values()):,}; "
        f"{partial} streams read only what changed,"
    )
    screen.say(
        "    those whose API can't filter were read in full; "
        f"{sum(loader.counts().values()) - total} rows are new in the tables\n"
    )


def wait(screen: Screen, *, loader: Loader, project: Project) -> None:
    """Leave everything running until Ctrl-C."""
    screen.say(
        "  Still running, until you press Ctrl-C. To look around, and to run again:", style="bold"
    )
    screen.say(f"    {loader.command}")
    screen.say(f"    {project.by_hand}\n")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
