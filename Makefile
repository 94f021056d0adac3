PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test test-slow mutants check venv peers browser hdl hdl-tools screenshots docs notebook clean
help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: $(VENV)/.installed $(VENV)/.tools ## Make .venv with snnc and everything that demo and tests need

# Lava 0.10.0 declares Python < 3.11 and old pins, so pip must neither check nor follow them; the extra `lava` holds what it needs.
# Of NeuroBench the tests call the metrics, which need torch, snntorch and tqdm of all that it declares.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python lava-nc==0.10.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps neurobench==2.3.0
	touch $@

# What does not get along with the packages above lies in folders of its own, which the tests put before them.
$(VENV)/.tools: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/peers/nir \
		norse==1.1.0 sinabs==3.1.3 nirtorch==2.6 pbr==7.1.3
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/peers/nir-1.0.7 nir==1.0.7
	touch $@

peers: $(VENV)/.peers ## Install the peers that only the slow tests run (one is compiled: needs g++)
$(VENV)/.peers: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python --upgrade \
		--target $(VENV)/peers/lava-dl lava-dl==0.6.0 numpy==2.3.5
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/peers/xylo xylosim==0.1.3
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/peers/snntorch-0.7 \
		snntorch==0.7.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(VENV)/peers/spikingjelly spikingjelly==0.0.0.0.14
	touch $@

browser: ## Install Debian's headless Chromium for the tests of the report's page, where it is missing and this may install it
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	[ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		chromium-headless-shell fonts-dejavu-core >/dev/null \
		|| echo "no Chromium, so the report's page is not tested: apt-get install chromium-headless-shell"

hdl: ## Install Debian's Icarus Verilog, which runs target `verilog`, where it is missing and this may install it
	@command -v iverilog >/dev/null && exit 0; \
	[ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		iverilog >/dev/null \
		|| echo "no Icarus Verilog, so target verilog is not tested: apt-get install iverilog"

hdl-tools: hdl $(VENV)/.installed ## Install Verilator, and yosys and nextpnr from PyPI (extra fpga), for the slow tests and snnc build
	@command -v verilator >/dev/null && command -v g++ >/dev/null && command -v make >/dev/null || { \
	[ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		verilator g++ make >/dev/null; } \
		|| echo "no Verilator, so long simulations are not tested: apt-get install verilator g++ make"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[fpga]"

screenshots: venv browser ## Write the screenshots of docs/report.md anew
	SNNC_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/report/test_report_screenshots.py

docs: venv ## Build the documents' site into out/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

notebook: venv ## Run examples/chain.py as a notebook and write examples/chain.ipynb anew
	$(BIN)/python docs/chain_notebook.py

demo: venv ## Train, prune, quantise, check, export and verify on handwritten digits
	$(BIN)/snnc run examples/digits.toml -o out/digits --force

# Threads of torch that wait for work give up their core: two processes of tests share two cores, and would starve each other.
test: venv browser hdl ## Run the tests (peers are run for real)
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -q -m "not slow" -n 2 --dist loadfile

test-slow: venv peers hdl-tools ## Run the tests that take minutes
	$(BIN)/python -m pytest -q -m slow

mutants: venv ## Mutate the core in a sample of places, and list what its tests let live (an hour or two; changes no file)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $(VENV)/peers/cosmic-ray cosmic-ray==8.7.0
	PYTHONPATH=$(VENV)/peers/cosmic-ray $(BIN)/python benchmarks/mutants.py --json results/mutants.json

check: venv ## Lint, format, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

clean: ## Remove .venv and out/
	rm -rf $(VENV) out
