# All recipes for developers and CI. `make help` lists them.
#
# Compiler output is stored outside the clone, so a fresh clone does not recompile Polars.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/sparkify-lake/target

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
# The exact versions of all packages. PINS=/dev/null installs the newest ones instead.
PINS   := requirements/development.txt
CORE   := --no-default-features
SIZES  ?= small,M
RUNS   ?= 3
PEERS  ?= polars,duckdb
SIZE   ?= M
DELAYS ?= 0,30
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo old-glibc formats test notebooks lint wording fmt core wheel install airflow docs bench parts scaling incremental sequences executors spark profile remote stores trust fuzz fuzz-coverage compare pins clean tools

help:  ## list the recipes
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install  ## build, install, run the job on sample data, query the lake
	@$(PY) etl.py --sample
	@$(PY) examples/query.py sparkify-sample/lake

test: lint core install docs  ## run everything: lints, the Rust core without Python, the installed wheel, docs, Airflow
	$(PY) -m mypy.stubtest sparkify_lake._native --allowlist scripts/stub_only.txt
	$(PY) -m pytest --doctest-modules python/sparkify_lake --ignore python/sparkify_lake/airflow.py -q -p no:cacheprovider
	$(PY) -m pytest -n 2 -p no:cacheprovider
	@PYTHON=$(PYTHON) sh scripts/airflow.sh

notebooks: install $(VENV)/tested  ## execute the notebooks without a browser, as the tests do
	$(PY) -m pytest -p no:cacheprovider tests/python/package/test_notebooks.py

lint: $(VENV)/tested wording  ## check formatting, wording, clippy, ruff, mypy, sources and licenses of all crates
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

wording: $(VENV)/tested  ## check American spelling (typos) and wording (scripts/wording.toml)
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
	@# This interpreter is outside the environment: its path is the same in every clone, so nothing is recompiled.
	$(VENV)/bin/maturin build --release --locked --compression-level 9 --interpreter "$$(command -v $(PYTHON))" --out dist
	@$(PY) scripts/wheel_size.py dist

old-glibc: tools $(VENV)/made  ## build a wheel for glibc 2.17 and newer into dist/ with Zig as the linker, as for a release
	@rm -rf dist
	@$(PY) -m pip install --quiet --disable-pip-version-check -c $(PINS) $$($(PYTHON) scripts/requirements.py wheel)
	PATH="$$PWD/$(VENV)/bin:$$PATH" $(VENV)/bin/maturin build --release --locked --compression-level 9 --zig \
		--compatibility manylinux2014 --interpreter "$$(command -v $(PYTHON))" --out dist
	$(VENV)/bin/auditwheel show dist/*.whl
	@$(PY) scripts/wheel_size.py dist

install: wheel  ## install the wheel into .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl

airflow: wheel  ## test with a real Airflow in a separate environment; AIRFLOW=2.11 runs only the example DAGs there
	@AIRFLOW=$(AIRFLOW) PYTHON=$(PYTHON) sh scripts/airflow.sh

spark: install $(VENV)/tested  ## compare the scoreboard and notebook 03 with the PySpark of the recorded results (needs Java)
	@PYTHON=$(PYTHON) sh scripts/spark.sh

docs: install $(VENV)/tested  ## build the documentation website in target/site; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

bench: install $(VENV)/tested  ## compare this job with other engines: SIZES=small,M RUNS=3 PEERS=all
	$(PY) benchmarks/against_peers.py --sizes $(SIZES) --runs $(RUNS) --peers $(PEERS)

scaling: install $(VENV)/tested  ## measure a second run, threads, more events, more songs (an hour, 25 GB): RUNS=3
	$(PY) benchmarks/scaling.py --runs $(RUNS)

incremental: install $(VENV)/tested  ## compare one more day, one more song, nothing new with a full run of one year: RUNS=3
	$(PY) benchmarks/incremental.py --runs $(RUNS)

sequences: install $(VENV)/tested  ## compare random sequences of input changes and runs with rebuilds (15 minutes)
	$(PY) -m pytest -s -p no:cacheprovider --long tests/python/incremental/test_sequences.py tests/python/s3/test_sequences.py

executors: install $(VENV)/tested  ## compare the job on Spark and Ray with a local run: SIZE=L RUNS=3
	$(PY) benchmarks/executors.py --size $(SIZE) --runs $(RUNS)

profile: install  ## draw a flame graph of the job (needs perf): SIZE=M
	$(PY) benchmarks/flame_graph.py --size $(SIZE)

parts: tools  ## measure the parts of the engine against their lower bounds: PART=decoder
	cargo bench --locked $(CORE) --bench engine -- $(PART)

remote: install $(VENV)/tested  ## compare this job with Polars on S3 in memory: DELAYS=0,30 RUNS=3
	$(PY) benchmarks/s3.py --delays $(DELAYS) --runs $(RUNS)

formats: install $(VENV)/tested  ## read Delta and Iceberg tables with DuckDB, Spark and a REST catalog, run notebook 04 (needs Java and Maven)
	@PYTHON=$(PYTHON) sh scripts/formats.sh

stores: install $(VENV)/tested  ## run the job on S3 servers of other makes: versitygw, S3Proxy, S3Mock (needs Go, Java and Maven)
	@sh scripts/stores.sh
	$(PY) -m pytest -s -p no:cacheprovider --stores tests/python/s3/test_stores.py

trust: install $(VENV)/tested  ## run all crash tests: kills, disk faults, overlapping runs (20 minutes)
	$(PY) -m pytest -s -p no:cacheprovider --long tests/python/crash tests/python/s3/test_crashes.py tests/python/s3/test_paused_runs.py

fuzz: tools $(VENV)/tested  ## read randomly damaged data: SECONDS=60 per kind of data
	FUZZ_SECONDS=$(SECONDS) cargo test --locked $(CORE) --lib -- --nocapture --test-threads 2 fuzz damage_never no_value_leaves
	HYPOTHESIS_PROFILE=nightly $(PY) -m pytest -s -p no:cacheprovider --timeout=3600 tests/python/config/test_damaged_config.py

fuzz-coverage: tools  ## run the coverage-guided fuzz targets (needs nightly and cargo-fuzz): SECONDS=60 per target
	@SECONDS_PER_TARGET=$(SECONDS) sh scripts/fuzz_coverage.sh

compare: $(VENV)/tested  ## check that two builds write the same lakes: OLD=/old/.venv/bin/python NEW=/new/.venv/bin/python
	$(PY) scripts/compare_engines.py $(OLD) $(NEW)

pins:  ## pin the packages of pyproject.toml in requirements/; UPGRADE=1 takes the newest versions
	@PYTHON=$(PYTHON) UPGRADE=$(UPGRADE) sh scripts/pins.sh

clean:  ## remove generated files, except the compiler's output
	rm -rf $(VENV) .venv-airflow* .venv-spark .venv-formats .venv-peers .venv-pins dist sparkify-sample target/bench .hypothesis .mypy_cache .ruff_cache

tools:
	@PYTHON=$(PYTHON) sh scripts/tools.sh

# An environment to build and run the package.
$(VENV)/made: pyproject.toml $(PINS) | tools
	@$(PYTHON) -m venv $(VENV)
	@$(PYTHON) scripts/requirements.py build >$(VENV)/requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check -c $(PINS) -r $(VENV)/requirements.txt
	@touch $@

# The same environment, with everything for the tests.
$(VENV)/tested: $(VENV)/made
	@$(PYTHON) scripts/requirements.py test notebook spark ray docs >$(VENV)/requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check -c $(PINS) -r $(VENV)/requirements.txt
	@touch $@
