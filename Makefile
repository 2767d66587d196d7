# Everything that people and CI do here. `make help` lists it.
#
# The compiler's output lies outside the clone, so that a fresh clone does not build polars again.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/sparkify-lake/target

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
CORE   := --no-default-features
SIZES  ?= small,M
RUNS   ?= 3
SIZE   ?= M
DELAYS ?= 0,30
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo test notebooks lint wording fmt core wheel install airflow docs bench parts scaling incremental sequences executors profile remote trust fuzz fuzz-coverage compare clean tools

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install  ## build, install, run the job on sample data, query the lake
	@$(PY) etl.py --sample
	@$(PY) examples/query.py sparkify-sample/lake

test: lint core install docs  ## everything: lints, the Rust core without Python, the installed wheel, pages, Airflow
	$(PY) -m mypy.stubtest sparkify_lake._native --allowlist scripts/stub_only.txt
	$(PY) -m pytest --doctest-modules python/sparkify_lake --ignore python/sparkify_lake/airflow.py -q -p no:cacheprovider
	$(PY) -m pytest -n 2 -p no:cacheprovider
	@PYTHON=$(PYTHON) sh scripts/airflow.sh

notebooks: install $(VENV)/tested  ## execute the three notebooks headless, as the tests do
	$(PY) -m pytest -p no:cacheprovider tests/python/package/test_notebooks.py

lint: $(VENV)/tested wording  ## formatting, clippy, ruff, mypy, sources and licenses of what is linked
	cargo fmt --check
	cargo fmt --check --manifest-path tests/servers/Cargo.toml
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked $(CORE) --all-targets -- -D warnings
	cargo clippy --locked --lib -- -D warnings
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pip check
	$(PY) -m doctest scripts/dependencies.py scripts/wording.py scripts/compare_engines.py scripts/comparison_lakes.py
	$(PY) scripts/dependencies.py

wording: $(VENV)/tested  ## American spelling (typos), and wording that was replaced (scripts/wording.toml)
	$(VENV)/bin/typos
	$(PY) scripts/wording.py

fmt:  ## format Rust and Python
	cargo fmt
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .

core: tools  ## test the Rust core, without Python
	cargo test --locked $(CORE) --quiet

wheel: $(VENV)/made  ## build the release wheel into dist/
	@rm -rf dist
	@# The interpreter outside the environment: its path is the same in every clone, so nothing is compiled again.
	$(VENV)/bin/maturin build --release --locked --interpreter "$$(command -v $(PYTHON))" --out dist
	@$(PY) scripts/wheel_size.py dist

install: wheel  ## install the wheel into .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl

airflow: wheel  ## a real Airflow, made from nothing: the example DAGs, the operator, kills and timeouts
	@PYTHON=$(PYTHON) sh scripts/airflow.sh

docs: install $(VENV)/tested  ## the pages of documentation into target/site; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

bench: install $(VENV)/tested  ## our job beside Polars and DuckDB: SIZES=small,M RUNS=3
	$(PY) benchmarks/against_peers.py --sizes $(SIZES) --runs $(RUNS)

scaling: install $(VENV)/tested  ## how the job grows: a second run, threads, events, songs (an hour, 25 GB): RUNS=3
	$(PY) benchmarks/scaling.py --runs $(RUNS)

incremental: install $(VENV)/tested  ## a day more, a song more, nothing new, beside a full run of a year: RUNS=3
	$(PY) benchmarks/incremental.py --runs $(RUNS)

sequences: install $(VENV)/tested  ## arrivals and runs in every order, each beside a rebuild: a quarter of an hour
	$(PY) -m pytest -s -p no:cacheprovider --long tests/python/incremental/test_sequences.py tests/python/s3/test_sequences.py

executors: install $(VENV)/tested  ## the job on Spark and on Ray, beside a local run: SIZE=L RUNS=3
	$(PY) benchmarks/executors.py --size $(SIZE) --runs $(RUNS)

profile: install  ## where the job's time goes, as a flame graph (needs perf): SIZE=M
	$(PY) benchmarks/flame_graph.py --size $(SIZE)

parts: tools  ## the engine's parts by themselves, beside their floors: PART=decoder
	cargo bench --locked $(CORE) --bench engine -- $(PART)

remote: install $(VENV)/tested  ## our job beside Polars, on S3 in memory: DELAYS=0,30 RUNS=3
	$(PY) benchmarks/s3.py --delays $(DELAYS) --runs $(RUNS)

trust: install $(VENV)/tested  ## kill, fail and overlap runs, with all rounds: some twenty minutes
	$(PY) -m pytest -s -p no:cacheprovider --long tests/python/crash tests/python/s3/test_crashes.py

fuzz: tools $(VENV)/tested  ## random damage to what is read, SECONDS=60 for each kind
	FUZZ_SECONDS=$(SECONDS) cargo test --locked $(CORE) --lib -- --nocapture --test-threads 2 fuzz damage_never no_value_leaves
	HYPOTHESIS_PROFILE=nightly $(PY) -m pytest -s -p no:cacheprovider --timeout=3600 tests/python/config/test_damaged_config.py

fuzz-coverage: tools  ## coverage-guided fuzz targets of what is read (needs nightly and cargo-fuzz), SECONDS=60 for each
	@SECONDS_PER_TARGET=$(SECONDS) sh scripts/fuzz_coverage.sh

compare: $(VENV)/tested  ## two builds make the same lakes, byte for byte: OLD=/old/.venv/bin/python NEW=/new/.venv/bin/python
	$(PY) scripts/compare_engines.py $(OLD) $(NEW)

clean:  ## remove what was made here (not the compiler's output)
	rm -rf $(VENV) .venv-airflow dist sparkify-sample target/bench .hypothesis .mypy_cache .ruff_cache

tools:
	@PYTHON=$(PYTHON) sh scripts/tools.sh

# An environment that can build and run the package.
$(VENV)/made: pyproject.toml | tools
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2' $$($(PYTHON) scripts/requirements.py)
	@touch $@

# The same, with everything that the tests need.
$(VENV)/tested: $(VENV)/made
	@$(PY) -m pip install --quiet --disable-pip-version-check $$($(PYTHON) scripts/requirements.py test notebook spark ray docs)
	@touch $@
