# make test    the test suite           make lint   ruff (check and format) and shellcheck
# make format  what ruff can mend       make wheel  dist/*.whl
# make soak    work killed at random moments, for MINUTES (20)
# make venv    the environment that the others use (each makes it by itself)

ACTIVATE := PATH="$$(bash recipes/utils/setup_env.sh):$$PATH"
SCRIPTS := .ci/run $(shell find egs recipes -name '*.sh' -not -path '*/exp/*')

.PHONY: test lint format soak venv wheel clean

test:
	$(ACTIVATE) && python -m pytest $(PYTEST)

lint:
	$(ACTIVATE) && python -m ruff check . && python -m ruff format --check . && shellcheck $(SCRIPTS)

format:
	$(ACTIVATE) && python -m ruff check --fix . && python -m ruff format .

soak:
	$(ACTIVATE) && python tests/soak/soak.py --minutes $(or $(MINUTES),20) $(SOAK)

venv:
	$(ACTIVATE) && python --version

wheel:
	$(ACTIVATE) && python -m build --wheel

clean:
	rm -rf build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -exec rm -rf {} +
