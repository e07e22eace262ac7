"""The command line: parses and prints, nothing else.

Exit codes: 0 done, 1 failure, 2 usage, 3 faults in the data or a leak of labels, 4 partly done,
5 a PACS that cannot be reached or refuses, 130 stopped.
"""

import sys
import warnings

import typer
from rich.text import Text

from ..errors import ArchiveUnavailable, Interrupted, InvalidInput, TrabeculaError
from . import app as browser
from . import exchange, models, pacs, service, studies, tools
from .terminal import err, hear_again, print_faults

__all__ = ["app", "main"]

app = typer.Typer(
    help="Deep-learning radiomics studies on X-rays. Research use only; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (studies, exchange, models, pacs, service, tools, browser):
    app.add_typer(commands.app)


def main() -> None:
    """Run the command line; foreseen failures are told in words, without a traceback."""
    sys.unraisablehook = hear_again
    warnings.filterwarnings("ignore", "A worker stopped", UserWarning)  # joblib has begun another; nothing is lost
    try:
        app()
    except InvalidInput as error:
        print_faults(error.faults)
        sys.exit(3)
    except Interrupted as error:
        err.print(str(error))
        sys.exit(130)
    except ArchiveUnavailable as error:
        err.print(Text(str(error), style="red"))
        sys.exit(5)
    except TrabeculaError as error:
        err.print(Text(str(error), style="red"))
        sys.exit(1)
    except OSError as error:
        if error.filename is None:  # no file's fault: ours
            raise
        err.print(Text(f"{error.filename}: {error.strerror}", style="red"))
        sys.exit(1)
