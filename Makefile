# make test    the test suite           make lint   ruff (check and format) and shellcheck
# make format  what ruff can mend       make wheel  dist/*.whl
# make soak    work killed at random moments, for MINUTES (20)
# make fuzz    damaged files for every reader, 100,000 each, under coverage guidance (installs atheris; about an hour)
# make slurm   the recipe on a Slurm cluster on this host, its jobs and nodes killed (as root; installs Debian's packages)
# make venv    the environment that the others use (each makes it by itself)

ACTIVATE := PATH="$$(bash recipes/utils/setup_env.sh):$$PATH"
SCRIPTS := .ci/run $(shell find egs recipes tests -name '*.sh' -not -path '*/exp/*')

.PHONY: test lint format soak fuzz slurm venv wheel clean

test:
	$(ACTIVATE) && python -m pytest $(PYTEST)

lint:
	$(ACTIVATE) && python -m ruff check . && python -m ruff format --check . && shellcheck $(SCRIPTS)

format:
	$(ACTIVATE) && python -m ruff check --fix . && python -m ruff format .

soak:
	$(ACTIVATE) && python tests/soak/soak.py --minutes $(or $(MINUTES),20) $(SOAK)

fuzz:
	$(ACTIVATE) && { python -c 'import atheris' 2>/dev/null || python -m pip install --constraint constraints.txt atheris; } \
	  && python tests/soak/fuzz.py $(FUZZ)

slurm:
	command -v slurmctld munged >/dev/null || tests/slurm/cluster.sh install
	$(ACTIVATE) && python tests/slurm/soak.py $(SLURM)

venv:
	$(ACTIVATE) && python --version

wheel:
	$(ACTIVATE) && python -m build --wheel

clean:
	rm -rf build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -exec rm -rf {} +
