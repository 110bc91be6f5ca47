"""The `doctor` command: what is installed, what the machine has, and what is missing."""

import click

from specgan_cli.cli import options
from specgan_cli.cli.console import write_json

EPILOG = """\b
Examples:
  specgan doctor
  specgan doctor --json
"""


@click.command(epilog=EPILOG)
@options.json_output
def doctor(as_json: bool) -> int:
    """Say what is installed, what the machine has, and what to do about each missing thing.

    Exits with 1 where something is missing that commands need; what is optional is only named.
    """
    from specgan.serde import to_plain
    from specgan_cli.workflows.doctor import examine

    checkup = examine()
    if as_json:
        write_json({**checkup.facts, "findings": to_plain(checkup.findings)})
    else:
        for section, facts in checkup.facts.items():
            for name, value in facts.items():
                click.echo(f"{section + ' ' + name:<28} {value}")
        for finding in checkup.findings:
            word = "missing" if finding.needed else "optional"
            click.echo(f"{word}: {finding.what}; {finding.advice}")
        if checkup.sound:
            click.echo("all that commands need is there")
    return 0 if checkup.sound else 1
