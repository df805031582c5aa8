"""What wordcount shows: a live progress bar, then a summary."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from scheduler import WordCount, run

TOP = 10


def main(master: str) -> int:
    """Run the job and report; 0 when every task finished."""
    console = Console()
    columns = (
        TextColumn("wordcount"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tasks, {task.fields[running]} running"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        job = bar.add_task("wordcount", total=None, running=0)

        def progress(done: int, running: int, total: int) -> None:
            bar.update(job, completed=done, total=total, running=running)

        scheduler, seconds, files = run(master, progress)
    if scheduler.failure:
        console.print(f"wordcount failed: {scheduler.failure}", style="red")
        return 1
    report(console, scheduler, seconds, files, master)
    return 0


def report(console: Console, scheduler: WordCount, seconds: float, files: int, master: str) -> None:
    """Print the summary."""
    words = Table(title=f"Top {TOP} words of Python's standard library", title_justify="left")
    words.add_column("word")
    words.add_column("times", justify="right")
    for word, times in scheduler.counts.most_common(TOP):
        words.add_row(word, f"{times:,}")
    console.print(words)
    agents = Table(title="Tasks per agent", title_justify="left")
    agents.add_column("agent", no_wrap=True)
    agents.add_column("tasks", justify="right")
    for agent in sorted(scheduler.agents):
        agents.add_row(agent, str(scheduler.per_agent[agent]))
    console.print(agents)
    total = sum(scheduler.counts.values())
    console.print(f"{total:,} words in {files:,} files, {scheduler.total} tasks, {seconds:.2f} s")
    console.print(f"Cluster: http://{master}", soft_wrap=True)
    for agent, directory in sorted(scheduler.directories.items()):  # type: ignore[attr-defined]
        console.print(f"Sandbox on {agent}: {directory}", soft_wrap=True, highlight=False)
