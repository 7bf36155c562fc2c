"""`python -m engine`: the command line, the same as the console script `lanewise`."""

import sys

from engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
